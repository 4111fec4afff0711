import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { formatProblem } from '../../documents/problem.ts';
import { CachedVersion } from '../cache/cached-version.ts';
import type { ClassLabels } from '../class-labels.ts';
import type { AnswerCache } from '../cache/cached-version.ts';
import { EnsembleBinder } from '../ensemble/ensemble-binder.ts';
import type { KnownModels } from '../ensemble/find-members.ts';
import type { ImagePool } from '../image/image-pool.ts';
import { ImageVersion } from '../image/image-version.ts';
import { ModelVersion } from '../model-version.ts';
import type { BackendEvents, VersionOptions } from '../model-version.ts';
import type { Servable } from '../servable.ts';
import { Device } from '../scheduling/device.ts';
import { versionFault } from './layout.ts';
import type { VersionFolder } from './layout.ts';
import type { Settled } from './look.ts';
import type { ModelConfig } from './model-config.ts';
import type { ModelSettings } from './model-settings.ts';
import type { ServedModel } from './served-model.ts';
import { digestFiles } from './version-files.ts';
import { selectVersions } from './version-policy.ts';

export interface LoaderEvents extends BackendEvents {
  /** A version became ready, failed, or was unloaded. */
  onVersion(model: string, version: number, state: 'ready' | 'failed' | 'unloaded', reason?: string): void;
  /** A version that is no longer wished serves on, as somebody needs it. */
  onKept(model: string, version: number, why: string): void;
  /** A version's files were changed under its number, and what was loaded of them has taken the place of what they were before. */
  onReplaced(model: string, version: number, before: Servable, after: Servable): void;
}

/** What loading takes from the machine that it runs on. */
export type Machine = Pick<VersionOptions, 'faults' | 'findGpus'>;

export interface ModelLoaderOptions {
  readonly events: LoaderEvents;
  readonly machine: Machine;
  /** What decodes images; all models share it. */
  readonly images: ImagePool;
  /** Pixels (width x height) of an image that are decoded at the most. */
  readonly maxPixels: number;
  /** Answers what is in flight of a version that was taken out, and frees it. */
  readonly retire: (version: Servable) => void;
  /** Where answers are kept of models that ask for it; undefined: nowhere. */
  readonly cache: AnswerCache | undefined;
  /** Where ensembles find their steps' models. */
  readonly members: KnownModels;
  /** Changes whenever a file of a version's folder does. */
  readonly fingerprintOf: (directory: string) => Promise<string>;
  /** Why a version that serves may not be unloaded now; undefined: it may. */
  readonly neededBy: (model: string, version: number) => string | undefined;
}

/** Models that are loaded at the same time; each load holds the file's bytes and the session's in memory. */
const MAX_LOADS = 4;

/** The wish of a version whose files changed while they were read: no files have it. */
const MOVED = '';

/** Brings one model at a time up to what was seen of its folder. */
export class ModelLoader {
  readonly #events: LoaderEvents;
  readonly #machine: Machine;
  /** The cores, which all versions share. */
  readonly #device = new Device(availableParallelism());
  readonly #options: ModelLoaderOptions;
  readonly #ensembles: EnsembleBinder;
  #loads = 0;
  readonly #waiting: (() => void)[] = [];
  /** Versions that are no longer wished and serve on, told once. */
  readonly #kept = new WeakSet<Servable>();

  constructor(options: ModelLoaderOptions) {
    const { events, members, retire } = options;
    this.#options = options;
    this.#events = events;
    this.#machine = options.machine;
    this.#ensembles = new EnsembleBinder({
      members,
      retire,
      serve: (version) => this.#cached(version),
      onVersion: (model, version, state, reason) => {
        events.onVersion(model, version, state, reason);
      },
    });
  }

  /**
   * Loads what is new or changed, and unloads what is gone or what the version policy passes over. A version that replaces
   * others takes traffic before they are unloaded, and where it fails they stay.
   *
   * @param threads that a run may use where the configuration says nothing
   * @returns whether there is nothing left to do while nobody changes the files
   */
  async update(model: ServedModel, settled: Settled, threads: number): Promise<boolean> {
    const { settings, versions, moving } = settled;
    if (settings === undefined) return false;
    const present = new Set([...versions.map(({ version }) => version), ...moving]);
    const known = [...present]
      .filter((version) => !moving.has(version) || model.versions.includes(version))
      .sort((a, b) => a - b);
    const policy = settings.kind === 'read' ? settings.config.versionPolicy : ({ kind: 'all' } as const);
    const wanted = selectVersions(policy, known);
    const folders = new Map(versions.map((folder) => [folder.version, folder]));
    for (const version of wanted) {
      const folder = folders.get(version);
      if (folder !== undefined) await this.#load(model, folder, settings, threads);
      else if (!moving.has(version)) this.#failMissing(model, version);
    }
    this.#drop(model, (version) => !present.has(version) && !wanted.includes(version));
    // What the policy passes over stays as long as what it wants instead can't answer.
    if (wanted.every((version) => model.isAsWished(version))) {
      this.#drop(model, (version) => !wanted.includes(version) && !moving.has(version));
    }
    // What is kept for somebody, or until its successor answers, is looked at again; and so is what was half-read.
    const isKept = model.versions.length > wanted.length;
    return moving.size === 0 && !isKept && wanted.every((version) => model.wishOf(version) !== MOVED);
  }

  /** Unloads every version, but for those that are needed. */
  unload(model: ServedModel): void {
    this.#drop(model, () => true);
  }

  #drop(model: ServedModel, isDropped: (version: number) => boolean): void {
    const versions = model.versions.filter((version) => isDropped(version) && !this.#keeps(model, version));
    for (const version of versions) {
      this.#ensembles.forget(model.name, version);
      const dropped = model.take(version);
      if (dropped !== undefined) this.#options.retire(dropped);
      this.#events.onVersion(model.name, version, 'unloaded');
    }
    if (versions.length > 0) this.#ensembles.bind();
  }

  #keeps(model: ServedModel, version: number): boolean {
    const serving = model.version(version);
    if (serving === undefined) return false;
    const why = this.#options.neededBy(model.name, version);
    if (why === undefined) return false;
    if (!this.#kept.has(serving)) this.#events.onKept(model.name, version, why);
    this.#kept.add(serving);
    return true;
  }

  #failMissing(model: ServedModel, version: number): void {
    const wish = 'not there';
    if (model.wishOf(version) === wish) return;
    this.#fail(model, version, wish, `version_policy names it, but there is no folder ${version}`);
  }

  #fail(model: ServedModel, version: number, wish: string, reason: string): void {
    model.fail(version, wish, reason);
    this.#events.onVersion(model.name, version, 'failed', reason);
    this.#ensembles.bind();
  }

  /** Loads a version that is new or changed; until it is ready, and if it fails, the one before goes on. */
  async #load(
    model: ServedModel,
    folder: VersionFolder,
    settings: ModelSettings,
    threads: number,
  ): Promise<void> {
    const { version } = folder;
    const wish = `${folder.fingerprint} ${settings.fingerprint}`;
    if (model.wishOf(version) === wish) return;
    if (settings.kind === 'refused') {
      this.#fail(model, version, wish, settings.problems.map(formatProblem).join('; '));
      return;
    }
    const { config, labels, outputLabels } = settings;
    const fault = versionFault(folder, config);
    if (fault !== undefined) {
      this.#fail(model, version, wish, fault);
      return;
    }
    if (config.backend.kind === 'ensemble') {
      const own = config.backend.ofVersions.get(version);
      if (own?.kind === 'refused') {
        this.#fail(model, version, wish, own.problems.map(formatProblem).join('; '));
        return;
      }
      const { ensemble = config.backend.ensemble, written } = own ?? {};
      const digest = await digestFiles(folder.directory, folder.files);
      this.#ensembles.wish(model, wish, {
        model: model.name,
        version,
        config: written === undefined ? config : { ...config, written: { ...config.written, ...written } },
        ensemble,
        labels,
        outputLabels,
        digest,
      });
      return;
    }
    model.begin(version, wish);
    await this.#mayLoad();
    try {
      const loaded = await this.#read(model.name, folder, settings, threads);
      if (loaded === 'moving') {
        // Under another wish, so that the next look tries again.
        this.#fail(
          model,
          version,
          MOVED,
          'its files changed while it was loaded; what may be half of each takes no traffic',
        );
        return;
      }
      this.#ensembles.forget(model.name, version);
      const replaced = model.put(version, wish, this.#cached(loaded));
      this.#events.onVersion(model.name, version, 'ready');
      // Another configuration of the same files is none of another model.
      if (replaced !== undefined && replaced.about.digest !== loaded.about.digest)
        this.#events.onReplaced(model.name, version, replaced, loaded);
      this.#ensembles.bind();
      if (replaced !== undefined) this.#options.retire(replaced);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#fail(
        model,
        version,
        wish,
        `failed to load ${join(folder.directory, config.modelFilename)}: ${reason}`,
      );
    } finally {
      this.#loads -= 1;
      this.#waiting.shift()?.();
    }
  }

  /** Loads a version of files that are the same after it as before; else what was loaded could be half of each. */
  async #read(
    model: string,
    { version, directory, files, fingerprint }: VersionFolder,
    { config, labels, outputLabels }: { readonly config: ModelConfig } & ClassLabels,
    threads: number,
  ): Promise<Servable | 'moving'> {
    const digest = await digestFiles(directory, files);
    if (config.backend.kind === 'image') {
      const { images, maxPixels } = this.#options;
      images.warmUp();
      return new ImageVersion({ model, version, digest, config, images, maxPixels });
    }
    const loaded = await ModelVersion.load({
      model,
      version,
      modelFile: join(directory, config.modelFilename),
      digest,
      config,
      labels,
      outputLabels,
      threads,
      device: this.#device,
      ...this.#machine,
      events: this.#events,
    });
    const after = await this.#options.fingerprintOf(directory);
    if (after === fingerprint) return loaded;
    await loaded.close();
    return 'moving';
  }

  #cached(version: Servable): Servable {
    const { cache } = this.#options;
    return version.about.config.responseCache && cache !== undefined
      ? new CachedVersion(version, cache)
      : version;
  }

  async #mayLoad(): Promise<void> {
    const most = this.#machine.faults?.journal?.hasCrashedOpening === true ? 1 : MAX_LOADS;
    while (this.#loads >= most) {
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve);
      });
    }
    this.#loads += 1;
  }
}
