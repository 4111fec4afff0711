import { availableParallelism } from 'node:os';
import { allStepsOf } from '../ensemble/ensemble-config.ts';
import { circleFrom, membersOf } from '../ensemble/find-members.ts';
import type { KnownModels } from '../ensemble/find-members.ts';
import type { ImagePool } from '../image/image-pool.ts';
import type { Servable } from '../servable.ts';
import { lookAt, settledBetween, wantedVersions } from './look.ts';
import type { Look, ModelLook } from './look.ts';
import type { ConfigOverride } from './model-settings.ts';
import { RepositoryError } from './repository-error.ts';
import { RepositoryNotices } from './repository-notices.ts';
import type { NoticeEvents } from './repository-notices.ts';
import { RequestedModels } from './requested-models.ts';
import type { IndexEntry, ServedModel } from './served-model.ts';
import { ServedModels } from './served-models.ts';
import type { ServedEvents, ServedModelsOptions } from './served-models.ts';
import { threadShare } from './thread-share.ts';
import { Turns } from './turns.ts';

export interface RepositoryEvents extends ServedEvents, NoticeEvents {}

/** Who decides what is loaded, in Triton's words. */
export type ModelControl = 'none' | 'poll' | 'explicit';

export interface RepositoryOptions extends ServedModelsOptions {
  /** The repositories' folders; a model may stand in one of them only. */
  readonly roots: readonly string[];
  /**
   * `none`: what is there at the start is loaded. `poll`: that, and what {@link ModelRepository.refresh} finds changed.
   * `explicit`: what `load` names, and what {@link ModelRepository.load} asks for.
   */
  readonly control: ModelControl;
  /** With `explicit` control, the models that are loaded at the start; `*` stands for all. */
  readonly load: readonly string[];
  readonly events: RepositoryEvents;
}

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

/** The models of the repositories' folders: which of them are served is up to whoever has the control. */
export class ModelRepository {
  readonly #options: RepositoryOptions;
  readonly #served: ServedModels;
  readonly #known: KnownModels;
  /** What the last look saw: what still changes is not loaded. */
  #seen: Look = { models: new Map(), strays: [] };
  #looking: Promise<Followed> | undefined;
  readonly #requested: RequestedModels;
  readonly #turns = new Turns();
  readonly #notices: RepositoryNotices;
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
    const asked = new Set(isAll ? look.models.keys() : options.load);
    const members = isAll ? [] : [...asked].flatMap((name) => membersOf(repository.#known, name));
    const names = [...new Set(members).difference(asked), ...asked];
    await Promise.all(
      names.map((name) => repository.#loadAtStart(name, look.models.get(name), !asked.has(name))),
    );
    return repository;
  }

  private constructor(options: RepositoryOptions) {
    this.#options = options;
    this.#known = {
      served: (name) => this.#served.get(name),
      names: () => [...this.#seen.models.keys()],
      config: (name) => {
        const settings = this.#seen.models.get(name)?.settings;
        return settings?.kind === 'read' ? settings.config : undefined;
      },
    };
    this.#requested = new RequestedModels(this.#known);
    this.#notices = new RepositoryNotices(options.events);
    this.#served = new ServedModels(options, this.#known);
  }

  get control(): ModelControl {
    return this.#options.control;
  }

  /** What decodes images; it is closed with the repository. */
  get images(): ImagePool {
    return this.#served.images;
  }

  model(name: string): ServedModel | undefined {
    return this.#served.get(name);
  }

  /**
   * The versions of a model that are served or could be loaded, ascending; undefined where no repository has the model.
   * What its version policy passes over is not among them.
   */
  versionsOf(name: string): readonly number[] | undefined {
    const model = this.#served.get(name);
    if (model !== undefined) return model.versions;
    const seen = this.#options.control === 'explicit' ? this.#seen.models.get(name) : undefined;
    return seen?.settings.kind === 'read' ? wantedVersions(seen) : undefined;
  }

  /** By name. */
  get models(): readonly ServedModel[] {
    return this.#served.all;
  }

  /** Versions that take no more requests, and answer their last ones. */
  get draining(): readonly Servable[] {
    return this.#served.draining;
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
    this.#served.index().forEach(add);
    if (this.#options.control === 'explicit') {
      for (const [name, { folder }] of this.#seen.models) {
        for (const { version } of folder.versions) {
          if (this.#served.get(name) === undefined)
            add({ name, version, state: 'UNAVAILABLE', reason: 'unloaded' });
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
    await this.#turns.take(name, () => {
      this.#requested.forget(name);
      this.#served.remove(name);
      return Promise.resolve();
    });
  }

  async #loadNow(
    name: string,
    override: ConfigOverride | undefined,
    mayUse: (model: string) => boolean = () => true,
  ): Promise<void> {
    await this.#turns.take(name, async () => {
      const look = await lookAt(this.#options.roots, (model) => (model === name ? override : undefined));
      const seen = look.models.get(name);
      if (seen === undefined) {
        throw new RepositoryError('failed', `failed to load '${name}', failed to poll from model repository`);
      }
      if (override !== undefined) checkSteps(seen, mayUse);
      this.#checkNeeded('load', name, wantedVersions(seen));
      this.#seen = { ...this.#seen, models: new Map([...look.models, ...this.#seen.models]).set(name, seen) };
      this.#requested.ask(name, override);
      await this.#loadMembers(name, seen, look);
      const reasons = await this.#bringUp(name, seen);
      if (reasons.length > 0)
        throw new RepositoryError(
          // What the caller wrote itself is its own mistake.
          override !== undefined && seen.settings.kind === 'refused' ? 'invalid' : 'failed',
          `failed to load '${name}', ${reasons.join('; ')}`,
        );
    });
  }

  /**
   * Gives a model no more requests, and resolves when those it has are answered and its memory is free, or after
   * {@link RepositoryOptions.unloadWaitMs}: then it goes on unloading, as the index says. An ensemble that it is a step of is not
   * ready from then on.
   *
   * @param withMembers also the models that were loaded only because this ensemble needs them
   * @throws RepositoryError where control is not explicit, the model isn't loaded, or one of its versions is needed
   */
  async unload(name: string, withMembers = false): Promise<void> {
    this.#checkExplicit();
    const untilMs = performance.now() + this.#served.unloadWaitMs;
    const members = withMembers ? membersOf(this.#known, name) : [];
    await this.#unload(name, untilMs);
    for (const member of members.toReversed()) {
      if (this.#requested.isLeftOver(member)) await this.#unload(member, untilMs);
    }
  }

  /** @param untilMs of `performance.now()`: what isn't gone by then goes later */
  async #unload(name: string, untilMs: number): Promise<void> {
    await this.#turns.take(name, async () => {
      if (this.#served.get(name) === undefined)
        throw new RepositoryError('failed', `failed to unload '${name}', it is not loaded`);
      this.#checkNeeded('unload', name, []);
      this.#requested.forget(name);
      this.#served.remove(name);
      await this.#served.gone(name, untilMs);
    });
  }

  /** Answers what is in flight, then frees every worker. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#looking?.catch(() => undefined);
    await this.#turns.allEnded();
    await this.#served.close();
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
        await this.#turns.ended(member);
        continue;
      }
      this.#requested.askAlong(member);
      await this.#turns.take(member, async () => {
        await this.#bringUp(member, seen);
      });
    }
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
    for (const { about } of this.#served.get(name)?.ready ?? []) {
      const { version } = about;
      const why = staying.includes(version) ? undefined : this.#options.neededBy?.(name, version);
      if (why !== undefined)
        throw new RepositoryError(
          'in_use',
          `failed to ${action} '${name}', version ${version} would be gone: ${why}`,
        );
    }
  }

  /** @param isAlong whether it is only that an ensemble needs it */
  async #loadAtStart(name: string, seen: ModelLook | undefined, isAlong: boolean): Promise<void> {
    if (seen === undefined) {
      this.#notices.folder(name, 'models.load names it, but no repository has a model of that name');
      return;
    }
    if (isAlong) this.#requested.askAlong(name);
    else this.#requested.ask(name);
    await this.#turns.take(name, async () => {
      await this.#bringUp(name, seen);
    });
  }

  /** @returns the reasons of the versions that are wished and not served */
  async #bringUp(name: string, seen: ModelLook): Promise<readonly string[]> {
    const reasons = await this.#served.bringUp(name, seen, this.#threads());
    this.#notices.model(name, seen);
    return reasons;
  }

  async #refresh(): Promise<Followed> {
    const before = this.#seen;
    const look = await lookAt(this.#options.roots, (model) => this.#requested.overrideOf(model));
    this.#note(look);
    if (this.#options.control !== 'poll') return { done: () => Promise.resolve([]) };
    const names = new Set([...look.models.keys(), ...this.#served.names]);
    const tasks = [...names]
      .filter((name) => !this.#turns.isTaken(name))
      .map((name) =>
        this.#turns.take(name, () => this.#follow(name, before.models.get(name), look.models.get(name))),
      );
    return { done: () => Promise.all(tasks) };
  }

  async #follow(name: string, before: ModelLook | undefined, now: ModelLook | undefined): Promise<void> {
    if (now !== undefined) {
      await this.#served.update(name, settledBetween(before, now), this.#threads());
      this.#notices.model(name, now);
    } else if (before === undefined) this.#served.release(name);
  }

  #note(look: Look): void {
    this.#seen = look;
    this.#notices.strays(look);
  }

  #threads(): number {
    const { control } = this.#options;
    const wished = [...this.#seen.models].filter(
      ([name]) => control !== 'explicit' || this.#requested.has(name),
    );
    return threadShare(
      availableParallelism(),
      wished.map(([, look]) => look),
    );
  }
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
