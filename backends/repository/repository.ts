import { availableParallelism } from 'node:os';
import { formatProblem } from '../../documents/problem.ts';
import { ModelVersion } from '../model-version.ts';
import type { BackendEvents, FaultOptions } from '../model-version.ts';
import { scanRepository } from './layout.ts';
import type { ModelFolder, VersionFolder } from './layout.ts';
import { readSettings } from './model-settings.ts';
import type { ModelSettings } from './model-settings.ts';
import { ServedModel } from './served-model.ts';
import type { IndexEntry } from './served-model.ts';

export interface RepositoryEvents extends BackendEvents {
  /** A version became ready, failed, or was unloaded. */
  onVersion(model: string, version: number, state: 'ready' | 'failed' | 'unloaded', reason?: string): void;
  /** A folder that holds no servable model, or a model that stands in two repositories. */
  onFolder(folder: string, reason: string): void;
}

export interface RepositoryOptions {
  /** The repositories' folders; of a model that is in several, the first is served. */
  readonly roots: readonly string[];
  readonly faults?: FaultOptions;
  readonly events: RepositoryEvents;
}

/**
 * The models that are served. What the folders hold is what is wished: {@link refresh} loads what is new, replaces what
 * changed once the new one is ready, and unloads what is gone once its requests are answered.
 */
export class ModelRepository {
  readonly #options: RepositoryOptions;
  readonly #models = new Map<string, ServedModel>();
  /** What the last scan saw of each version: a file that still grows is not loaded. */
  #seen = new Map<string, string | undefined>();
  readonly #told = new Map<string, string>();
  readonly #closing = new Set<Promise<void>>();
  #isClosed = false;
  #refreshing: Promise<void> | undefined;

  /**
   * Loads every version of every model.
   *
   * @throws Error when a repository's folder can't be read; a model that can't be loaded only fails itself
   */
  static async open(options: RepositoryOptions): Promise<ModelRepository> {
    const repository = new ModelRepository(options);
    await repository.#reconcile(await repository.#scan(), 'at once');
    return repository;
  }

  private constructor(options: RepositoryOptions) {
    this.#options = options;
  }

  model(name: string): ServedModel | undefined {
    return this.#models.get(name);
  }

  /** By name. */
  get models(): readonly ServedModel[] {
    return [...this.#models.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Every version of every model, with the reason of those that aren't ready. */
  index(): readonly IndexEntry[] {
    return this.models.flatMap((model) => model.index());
  }

  /**
   * Brings what is served up to what the folders hold. A version whose file changed since the last look is left for
   * the next one, as it may still be being written. One refresh at a time: a call during another joins it.
   */
  async refresh(): Promise<void> {
    if (this.#isClosed) return;
    this.#refreshing ??= this.#scan()
      .then((folders) => this.#reconcile(folders, 'when settled'))
      .finally(() => {
        this.#refreshing = undefined;
      });
    return this.#refreshing;
  }

  /** Answers what is in flight, then frees every worker. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#refreshing?.catch(() => undefined);
    for (const model of this.#models.values()) {
      for (const version of model.takeAll()) this.#close(version);
    }
    await Promise.all(this.#closing);
  }

  async #scan(): Promise<readonly ModelFolder[]> {
    const folders = (await Promise.all(this.#options.roots.map((root) => scanRepository(root)))).flat();
    const byName = new Map<string, ModelFolder>();
    for (const folder of folders) {
      const first = byName.get(folder.name);
      if (first === undefined) byName.set(folder.name, folder);
      else this.#tell(folder.directory, `model "${folder.name}" is served from ${first.directory}`);
    }
    return [...byName.values()];
  }

  async #reconcile(folders: readonly ModelFolder[], load: 'at once' | 'when settled'): Promise<void> {
    const before = this.#seen;
    this.#seen = new Map(
      folders.flatMap((folder) =>
        folder.versions.map(({ modelFile, fingerprint }) => [modelFile, fingerprint]),
      ),
    );
    const threads = this.#threadsFor(folders);
    for (const folder of folders) {
      const model = this.#models.get(folder.name) ?? new ServedModel(folder.name);
      const settings = await readSettings(folder);
      if (!this.#models.has(folder.name) && folder.versions.length === 0) {
        this.#tell(folder.directory, 'has no version: expected a folder named 1 with a model.onnx');
      }
      this.#models.set(folder.name, model);
      for (const version of folder.versions) {
        const settled = load === 'at once' || before.get(version.modelFile) === version.fingerprint;
        if (settled) await this.#update(model, version, settings, threads);
      }
      this.#dropMissing(model, folder.versions);
    }
    const names = new Set(folders.map((folder) => folder.name));
    for (const model of [...this.#models.values()]) {
      if (names.has(model.name)) continue;
      this.#dropMissing(model, []);
      this.#models.delete(model.name);
    }
  }

  /** Loads a version that is new or changed; until it is ready, and if it fails, the one before goes on. */
  async #update(
    model: ServedModel,
    folder: VersionFolder,
    settings: ModelSettings,
    threads: number,
  ): Promise<void> {
    const { version, modelFile, fingerprint } = folder;
    const wish = `${fingerprint ?? 'missing'} ${settings.fingerprint}`;
    if (model.wishOf(version) === wish) return;
    const fail = (reason: string): void => {
      model.fail(version, wish, reason);
      this.#options.events.onVersion(model.name, version, 'failed', reason);
    };
    if (settings.kind === 'refused') {
      fail(settings.problems.map(formatProblem).join('; '));
      return;
    }
    if (fingerprint === undefined) {
      fail(`there is no file ${modelFile}; expected an ONNX model of that name`);
      return;
    }
    try {
      const { config, labels } = settings;
      const { faults, events } = this.#options;
      const options = {
        model: model.name,
        version,
        modelFile,
        config,
        labels,
        events,
        ...(faults !== undefined && { faults }),
      };
      const loaded = await ModelVersion.load({ ...options, threads: config.threads ?? threads });
      const replaced = model.put(version, wish, loaded);
      if (replaced !== undefined) this.#close(replaced);
      events.onVersion(model.name, version, 'ready');
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      fail(`failed to load ${modelFile}: ${reason}`);
    }
  }

  #dropMissing(model: ServedModel, folders: readonly VersionFolder[]): void {
    const wanted = new Set(folders.map((folder) => folder.version));
    for (const version of model.versions.filter((number) => !wanted.has(number))) {
      const dropped = model.take(version);
      if (dropped !== undefined) this.#close(dropped);
      this.#options.events.onVersion(model.name, version, 'unloaded');
    }
  }

  /** Once for each folder and reason, not at every look. */
  #tell(folder: string, reason: string): void {
    if (this.#told.get(folder) === reason) return;
    this.#told.set(folder, reason);
    this.#options.events.onFolder(folder, reason);
  }

  #close(version: ModelVersion): void {
    const closed = version.close().finally(() => this.#closing.delete(closed));
    this.#closing.add(closed);
  }

  /** The cores, shared out over the versions with one instance each, so that they don't fight over them. */
  #threadsFor(folders: readonly ModelFolder[]): number {
    const versions = folders.reduce((count, folder) => count + folder.versions.length, 0);
    return Math.max(1, Math.floor(availableParallelism() / Math.max(1, versions)));
  }
}
