import { availableParallelism } from 'node:os';
import { formatProblem } from '../../documents/problem.ts';
import type { AnswerCache } from '../cache/cached-version.ts';
import type { Servable } from '../servable.ts';
import { allStepsOf } from '../ensemble/ensemble-config.ts';
import { circleFrom, membersOf } from '../ensemble/find-members.ts';
import type { KnownModels } from '../ensemble/find-members.ts';
import { ImagePool } from '../image/image-pool.ts';
import { lookAt, settledAtOnce, settledBetween } from './look.ts';
import type { Look, ModelLook } from './look.ts';
import { ModelLoader } from './model-loader.ts';
import type { Machine } from './model-loader.ts';
import type { LoaderEvents } from './model-loader.ts';
import type { ConfigOverride } from './model-settings.ts';
import { RepositoryError } from './repository-error.ts';
import { ServedModel } from './served-model.ts';
import type { IndexEntry } from './served-model.ts';
import { selectVersions } from './version-policy.ts';

export interface RepositoryEvents extends LoaderEvents {
  /** A folder or file that holds no servable model. */
  onFolder(path: string, reason: string): void;
  /** Something in a model's configuration that is known but has no effect. */
  onWarning(model: string, warning: string): void;
}

/** Who decides what is loaded, in Triton's words. */
export type ModelControl = 'none' | 'poll' | 'explicit';

export interface RepositoryOptions {
  /** The repositories' folders; a model may stand in one of them only. */
  readonly roots: readonly string[];
  /**
   * `none`: what is there at the start is loaded. `poll`: that, and what {@link ModelRepository.refresh} finds changed.
   * `explicit`: what `load` names, and what {@link ModelRepository.load} asks for.
   */
  readonly control: ModelControl;
  /** With `explicit` control, the models that are loaded at the start; `*` stands for all. */
  readonly load: readonly string[];
  readonly machine?: Machine;
  /** Where answers are kept of models that ask for it; left out: nowhere. It is closed with the repository. */
  readonly cache?: AnswerCache;
  /** Pixels (width x height) of an image that are decoded at the most; left out: 64 million. */
  readonly maxImagePixels?: number;
  /** Why a version that serves may not be unloaded now; undefined: it may. Left out: every one may. */
  readonly neededBy?: (model: string, version: number) => string | undefined;
  readonly events: RepositoryEvents;
}

const DEFAULT_MAX_IMAGE_PIXELS = 64_000_000;

/** What comes with a load. */
export interface LoadRequest {
  /** A ModelConfig as JSON, which holds in place of the model's own file until the next load or unload. */
  readonly config?: string | undefined;
  /** Whether that configuration may have a model as a step of an ensemble; left out: any. What the repository's own files say is not asked. */
  readonly mayUse?: (model: string) => boolean;
}

/** What a look has set going; the look itself is over before it. */
interface Followed {
  readonly done: () => Promise<unknown>;
}

/** The models that are served. */
export class ModelRepository {
  readonly #options: RepositoryOptions;
  readonly #models = new Map<string, ServedModel>();
  /** What decodes images; it is closed with the repository. */
  readonly images = new ImagePool();
  readonly #known: KnownModels;
  readonly #loader: ModelLoader;
  /** What the last look saw: what still changes is not loaded. */
  #seen: Look = { models: new Map(), strays: [] };
  #looking: Promise<Followed> | undefined;
  /** With explicit control, the models that should be loaded, and the configurations given with them. */
  readonly #requested = new Map<string, ConfigOverride | undefined>();
  /** Of those, the models that were loaded because an ensemble needs them. */
  readonly #alongOnly = new Set<string>();
  /** By model: what is being done to it, one thing at a time. */
  readonly #tasks = new Map<string, Promise<void>>();
  /** Versions that answer their last requests. */
  readonly #draining = new Map<Servable, Promise<void>>();
  readonly #told = new Map<string, string>();
  #isClosed = false;

  /**
   * Loads what the control says.
   *
   * @throws Error when a repository's folder can't be read; a model that can't be loaded only fails itself
   */
  static async open(options: RepositoryOptions): Promise<ModelRepository> {
    const repository = new ModelRepository(options);
    const look = await lookAt(options.roots);
    repository.#note(look);
    const isAll = options.control !== 'explicit' || options.load.includes('*');
    const names = isAll ? [...look.models.keys()] : repository.#withMembers(options.load);
    await Promise.all(names.map((name) => repository.#loadAtStart(name, look.models.get(name))));
    return repository;
  }

  private constructor(options: RepositoryOptions) {
    this.#options = options;
    this.#known = {
      served: (name) => this.#models.get(name),
      names: () => [...this.#seen.models.keys()],
      config: (name) => {
        const settings = this.#seen.models.get(name)?.settings;
        return settings?.kind === 'read' ? settings.config : undefined;
      },
    };
    this.#loader = new ModelLoader({
      events: options.events,
      machine: options.machine ?? {},
      images: this.images,
      maxPixels: options.maxImagePixels ?? DEFAULT_MAX_IMAGE_PIXELS,
      retire: (version) => {
        this.#retire(version);
      },
      members: this.#known,
      cache: options.cache,
      neededBy: (model, version) => options.neededBy?.(model, version),
    });
  }

  get control(): ModelControl {
    return this.#options.control;
  }

  model(name: string): ServedModel | undefined {
    return this.#models.get(name);
  }

  /**
   * The versions of a model that are served or could be loaded, ascending; undefined where no repository has the model.
   * What its version policy passes over is not among them.
   */
  versionsOf(name: string): readonly number[] | undefined {
    const model = this.#models.get(name);
    if (model !== undefined) return model.versions;
    const seen = this.#options.control === 'explicit' ? this.#seen.models.get(name) : undefined;
    if (seen?.settings.kind !== 'read') return undefined;
    const present = seen.folder.versions.map(({ version }) => version);
    return selectVersions(seen.settings.config.versionPolicy, present);
  }

  /** By name. */
  get models(): readonly ServedModel[] {
    return [...this.#models.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /**
   * Every version of every model, by name and number, with the reason of those that aren't ready: those that are served, those
   * that answer their last requests, and with explicit control those that could be loaded.
   */
  index(): readonly IndexEntry[] {
    const lines = new Map<string, IndexEntry>();
    const add = (entry: IndexEntry): void => {
      const key = `${entry.name}/${entry.version}`;
      if (!lines.has(key)) lines.set(key, entry);
    };
    for (const model of this.#models.values()) model.index().forEach(add);
    for (const { model: name, version } of this.#draining.keys()) {
      add({ name, version, state: 'UNLOADING', reason: '' });
    }
    if (this.#options.control === 'explicit') {
      for (const [name, { folder }] of this.#seen.models) {
        for (const { version } of folder.versions) {
          if (!this.#models.has(name)) add({ name, version, state: 'UNAVAILABLE', reason: 'unloaded' });
        }
      }
    }
    return [...lines.values()].sort((a, b) =>
      a.name === b.name ? a.version - b.version : a.name < b.name ? -1 : 1,
    );
  }

  /**
   * Looks at the folders. With `poll` control it brings what is served up to what they hold, where two looks in a row saw the
   * same; with `explicit` control it only brings the index up to date. A call during another look joins it, and a model that
   * is still being loaded is left for the next one.
   *
   * @throws Error when a repository's folder can't be read; what is served goes on
   */
  async refresh(): Promise<void> {
    if (this.#isClosed) return;
    this.#looking ??= this.#refresh().finally(() => {
      this.#looking = undefined;
    });
    const { done } = await this.#looking;
    await done();
  }

  /**
   * Loads every version of a model that its version policy wants, or loads it again where its files or its configuration
   * changed. It resolves when they take traffic.
   *
   * @throws RepositoryError where control is not explicit, a version can't be loaded, one would go that is needed, or the
   * configuration has a step that it may not; what served before goes on
   */
  async load(name: string, { config, mayUse }: LoadRequest = {}): Promise<void> {
    this.#checkExplicit();
    const override =
      config === undefined ? undefined : { source: `configuration of the load of ${name}`, text: config };
    await this.#loadNow(name, override, mayUse);
  }

  /**
   * Loads a model that was put into a repository just now, without waiting for a second look at it.
   *
   * @throws RepositoryError where a version of it can't be loaded
   */
  async loadPlaced(name: string): Promise<void> {
    this.#checkOpen();
    await this.#loadNow(name, undefined);
  }

  /**
   * Forgets what was put into a repository and is not there any more.
   *
   * @param whole whether nothing is left of the model
   */
  async withdraw(name: string, whole: boolean): Promise<void> {
    if (!whole) return this.#loadNow(name, undefined).catch(() => undefined);
    await this.#exclusively(name, () => {
      const model = this.#models.get(name);
      this.#requested.delete(name);
      this.#models.delete(name);
      if (model !== undefined) this.#loader.unload(model);
      return Promise.resolve();
    });
  }

  async #loadNow(
    name: string,
    override: ConfigOverride | undefined,
    mayUse: (model: string) => boolean = () => true,
  ): Promise<void> {
    await this.#exclusively(name, async () => {
      const look = await lookAt(this.#options.roots, (model) => (model === name ? override : undefined));
      const seen = look.models.get(name);
      if (seen === undefined) {
        throw new RepositoryError('failed', `failed to load '${name}', failed to poll from model repository`);
      }
      if (override !== undefined) checkSteps(seen, mayUse);
      this.#checkNeeded('load', name, wantedOf(seen));
      this.#seen = { ...this.#seen, models: new Map([...look.models, ...this.#seen.models]).set(name, seen) };
      this.#requested.set(name, override);
      this.#alongOnly.delete(name);
      await this.#loadMembers(name, seen, look);
      const reasons = await this.#bringUp(name, seen);
      if (reasons.length > 0)
        throw new RepositoryError('failed', `failed to load '${name}', ${reasons.join('; ')}`);
    });
  }

  /**
   * Gives a model no more requests, and resolves when those it has are answered and its memory is free. An ensemble that it
   * is a step of is not ready from then on.
   *
   * @param withMembers also the models that were loaded only because this ensemble needs them
   * @throws RepositoryError where control is not explicit, the model isn't loaded, or one of its versions is needed
   */
  async unload(name: string, withMembers = false): Promise<void> {
    this.#checkExplicit();
    const members = withMembers ? membersOf(this.#known, name) : [];
    await this.#exclusively(name, async () => {
      const model = this.#models.get(name);
      if (model === undefined)
        throw new RepositoryError('failed', `failed to unload '${name}', it is not loaded`);
      this.#checkNeeded('unload', name, []);
      this.#requested.delete(name);
      this.#alongOnly.delete(name);
      this.#models.delete(name);
      this.#loader.unload(model);
      await Promise.all(
        [...this.#draining].filter(([version]) => version.model === name).map(([, closed]) => closed),
      );
    });
    for (const member of members.toReversed()) {
      if (this.#alongOnly.has(member) && !this.#isNeeded(member)) await this.unload(member);
    }
  }

  /** Answers what is in flight, then frees every worker. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#looking?.catch(() => undefined);
    await Promise.allSettled(this.#tasks.values());
    for (const model of this.#models.values()) {
      for (const version of model.takeAll()) this.#retire(version);
    }
    await Promise.all(this.#draining.values());
    await this.images.close();
    this.#options.cache?.store.close();
  }

  /** The models, and those that ensembles among them need. */
  #withMembers(names: readonly string[]): readonly string[] {
    const asked = new Set(names);
    const members = names.flatMap((name) => membersOf(this.#known, name)).filter((name) => !asked.has(name));
    for (const member of members) this.#alongOnly.add(member);
    return [...new Set([...members, ...names])];
  }

  /** Loads what an ensemble needs and is not loaded, as Triton does. */
  async #loadMembers(name: string, { settings }: ModelLook, look: Look): Promise<void> {
    const backend = settings.kind === 'read' ? settings.config.backend : undefined;
    // Of ensembles that are steps of each other, each would wait for the other.
    const isCircular = allStepsOf(backend).some(
      (ensemble) => circleFrom(this.#known, { model: name, ensemble }) !== undefined,
    );
    if (isCircular) return;
    for (const member of membersOf(this.#known, name)) {
      const seen = look.models.get(member);
      if (seen === undefined) continue;
      if (this.#requested.has(member)) {
        await this.#tasks.get(member)?.catch(() => undefined);
        continue;
      }
      this.#requested.set(member, undefined);
      this.#alongOnly.add(member);
      await this.#exclusively(member, async () => {
        await this.#bringUp(member, seen);
      });
    }
  }

  #isNeeded(member: string): boolean {
    return [...this.#requested.keys()].some((name) => membersOf(this.#known, name).includes(member));
  }

  #checkOpen(): void {
    if (this.#isClosed) throw new RepositoryError('not_allowed', 'the gateway is stopping');
  }

  #checkExplicit(): void {
    this.#checkOpen();
    if (this.#options.control === 'explicit') return;
    const message = 'explicit model load / unload is not allowed if polling is enabled';
    throw new RepositoryError('not_allowed', `${message}; set models.control: explicit`);
  }

  /** @throws RepositoryError where a version that serves is needed, and isn't among those that stay */
  #checkNeeded(action: string, name: string, staying: readonly number[]): void {
    for (const { version } of this.#models.get(name)?.ready ?? []) {
      const why = staying.includes(version) ? undefined : this.#options.neededBy?.(name, version);
      if (why !== undefined)
        throw new RepositoryError(
          'in_use',
          `failed to ${action} '${name}', version ${version} would be gone: ${why}`,
        );
    }
  }

  async #loadAtStart(name: string, seen: ModelLook | undefined): Promise<void> {
    if (seen === undefined) {
      this.#tell(name, 'models.load names it, but no repository has a model of that name');
      return;
    }
    this.#requested.set(name, undefined);
    await this.#exclusively(name, async () => {
      await this.#bringUp(name, seen);
    });
  }

  /** @returns the reasons of the versions that are wished and not served */
  async #bringUp(name: string, seen: ModelLook): Promise<readonly string[]> {
    const model = this.#serve(name);
    await this.#loader.update(model, settledAtOnce(seen), this.#threads());
    this.#tellOfModel(name, seen);
    if (model.versions.length === 0) return [reasonOfNoVersion(seen)];
    return model
      .index()
      .filter(({ version }) => !model.isAsWished(version))
      .map(({ version, reason }) => `version ${version}: ${reason}`);
  }

  async #refresh(): Promise<Followed> {
    const before = this.#seen;
    const look = await lookAt(this.#options.roots, (model) => this.#requested.get(model));
    this.#note(look);
    if (this.#options.control !== 'poll') return { done: () => Promise.resolve([]) };
    const names = new Set([...look.models.keys(), ...this.#models.keys()]);
    const tasks = [...names]
      .filter((name) => !this.#tasks.has(name))
      .map((name) =>
        this.#exclusively(name, () => this.#follow(name, before.models.get(name), look.models.get(name))),
      );
    return { done: () => Promise.all(tasks) };
  }

  async #follow(name: string, before: ModelLook | undefined, now: ModelLook | undefined): Promise<void> {
    if (now !== undefined) {
      await this.#loader.update(this.#serve(name), settledBetween(before, now), this.#threads());
      this.#tellOfModel(name, now);
      return;
    }
    const model = this.#models.get(name);
    if (before !== undefined || model === undefined) return;
    this.#loader.unload(model);
    // What is needed still serves.
    if (model.versions.length === 0) this.#models.delete(name);
  }

  #serve(name: string): ServedModel {
    const model = this.#models.get(name) ?? new ServedModel(name);
    this.#models.set(name, model);
    return model;
  }

  /** Does one thing after the other to a model. */
  async #exclusively(name: string, task: () => Promise<void>): Promise<void> {
    const before = this.#tasks.get(name) ?? Promise.resolve();
    const done = before.catch(() => undefined).then(task);
    this.#tasks.set(name, done);
    try {
      await done;
    } finally {
      if (this.#tasks.get(name) === done) this.#tasks.delete(name);
    }
  }

  #retire(version: Servable): void {
    const closed = version.close().finally(() => this.#draining.delete(version));
    this.#draining.set(version, closed);
  }

  #note(look: Look): void {
    this.#seen = look;
    for (const { path, reason } of look.strays) this.#tell(path, reason);
  }

  #tellOfModel(name: string, { folder, settings }: ModelLook): void {
    if (folder.versions.length === 0) this.#tell(folder.directory, reasonOfNoVersion({ folder, settings }));
    if (settings.kind === 'refused' || this.#told.get(name) === settings.fingerprint) return;
    this.#told.set(name, settings.fingerprint);
    for (const warning of settings.config.warnings) {
      this.#options.events.onWarning(name, formatProblem(warning));
    }
  }

  /** Once for each path and reason, not at every look. */
  #tell(path: string, reason: string): void {
    if (this.#told.get(path) === reason) return;
    this.#told.set(path, reason);
    this.#options.events.onFolder(path, reason);
  }

  /** The cores, shared out over the instances of all versions that are wished, so that they don't fight over them. */
  #threads(): number {
    const instances = [...this.#seen.models].map(([name, { folder, settings }]) => {
      if (settings.kind === 'refused' || settings.config.backend.kind !== 'onnxruntime') return 0;
      if (this.#options.control === 'explicit' && !this.#requested.has(name)) return 0;
      const versions = folder.versions.map(({ version }) => version);
      return selectVersions(settings.config.versionPolicy, versions).length * settings.config.instances;
    });
    const total = instances.reduce((sum, count) => sum + count, 0);
    return Math.max(1, Math.floor(availableParallelism() / Math.max(1, total)));
  }
}

/** The versions that a model's policy wants of those that are there; a configuration that can't be read wants them all. */
function wantedOf({ folder, settings }: ModelLook): readonly number[] {
  const present = folder.versions.map(({ version }) => version);
  return settings.kind === 'read' ? selectVersions(settings.config.versionPolicy, present) : present;
}

/** @throws RepositoryError `forbidden` */
function checkSteps({ settings }: ModelLook, mayUse: (model: string) => boolean): void {
  if (settings.kind === 'refused') return;
  const steps = allStepsOf(settings.config.backend).flatMap((ensemble) => ensemble.steps);
  const beyond = steps.find(({ model }) => !mayUse(model));
  if (beyond === undefined) return;
  throw new RepositoryError(
    'forbidden',
    `the configuration of the load has a step that is model '${beyond.model.slice(0, 64)}', which the caller is not for`,
  );
}

function reasonOfNoVersion({ folder }: ModelLook): string {
  const misplaced = folder.misplaced.length > 0 ? `; ${folder.misplaced.join('; ')}` : '';
  return `has no version: expected a folder named 1 with a model.onnx${misplaced}`;
}
