import { availableParallelism } from 'node:os';
import { allStepsOf } from '../ensemble/ensemble-config.ts';
import { circleFrom, membersOf } from '../ensemble/find-members.ts';
import type { KnownModels } from '../ensemble/find-members.ts';
import type { ImagePool } from '../image/image-pool.ts';
import type { Servable } from '../servable.ts';
import { HandoverBook } from './handover.ts';
import type { ScaledVersion } from './handover.ts';
import { checkSteps } from './check-steps.ts';
import { NOTHING_SEEN, lookAt, settledBetween, wantedVersions } from './look.ts';
import type { Look, ModelLook } from './look.ts';
import type { ConfigOverride } from './model-settings.ts';
import { RepositoryError } from './repository-error.ts';
import { wholeIndex } from './repository-index.ts';
import type { LoadRequest, ModelControl, RepositoryOptions } from './repository-options.ts';
import { RepositoryNotices } from './repository-notices.ts';
import { RequestedModels, overrideOfLoad } from './requested-models.ts';
import type { IndexEntry, ServedModel } from './served-model.ts';
import { RepositoryScanner } from './repository-scanner.ts';
import { ServedModels } from './served-models.ts';
import { threadShare } from './thread-share.ts';
import { Turns } from './turns.ts';

/** What a look has set going; the look itself is over before it. */
interface Followed {
  readonly done: () => Promise<unknown>;
}

/** The models of the repositories' folders: which of them are served is up to whoever has the control. */
export class ModelRepository {
  readonly #options: RepositoryOptions;
  readonly #scanner: RepositoryScanner;
  readonly #served: ServedModels;
  readonly #known: KnownModels;
  /** What the last look saw: what still changes is not loaded. */
  #seen: Look = NOTHING_SEEN;
  #looking: Promise<Followed> | undefined;
  readonly #requested: RequestedModels;
  /** What was seen of models that they have been brought up to: as long as it is seen again, there is nothing to do. */
  readonly #done = new WeakSet<ModelLook>();
  readonly #turns = new Turns();
  readonly #notices: RepositoryNotices;
  readonly #handover: HandoverBook;
  #isClosed = false;

  /**
   * Loads what the control says.
   *
   * @throws Error when a repository's folder can't be read; a model that can't be loaded only fails itself
   */
  static async open(options: RepositoryOptions): Promise<ModelRepository> {
    const repository = new ModelRepository(options);
    try {
      await repository.#loadAll();
    } catch (error) {
      await repository.close();
      throw error;
    }
    repository.#handover.begin();
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
    this.#scanner = new RepositoryScanner(options.roots);
    this.#served = new ServedModels(options, this.#known, (directory) =>
      this.#scanner.fingerprintOf(directory),
    );
    this.#handover = new HandoverBook({
      loads: () => (options.control === 'explicit' ? this.#requested.standing : []),
      models: () => this.#served.all,
      onHandover: (handover) => options.events.onHandover?.(handover),
    });
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
    const unloaded =
      this.#options.control === 'explicit'
        ? [...this.#seen.models.values()].filter(({ folder }) => this.#served.get(folder.name) === undefined)
        : [];
    return wholeIndex(this.#served.index(), unloaded);
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
    await this.#loadNow(name, config, mayUse);
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
      this.#handover.tell();
      return Promise.resolve();
    });
  }

  async #loadNow(
    name: string,
    config: string | undefined,
    mayUse: (model: string) => boolean = () => true,
  ): Promise<void> {
    const override = config === undefined ? undefined : overrideOfLoad(name, config);
    await this.#turns.take(name, async () => {
      // Of the others it takes what was seen before, but for what has changed since.
      const look = await this.#look((model) =>
        model === name ? override : this.#requested.overrideOf(model),
      );
      const seen = look.models.get(name);
      if (seen === undefined) {
        throw new RepositoryError('failed', `failed to load '${name}', failed to poll from model repository`);
      }
      if (override !== undefined) checkSteps(seen, mayUse);
      this.#checkNeeded('load', name, wantedVersions(seen));
      this.#seen = { ...this.#seen, models: new Map([...look.models, ...this.#seen.models]).set(name, seen) };
      this.#requested.ask({ model: name, config, isAlong: false });
      await this.#loadMembers(name, seen, look);
      const before = new Set(this.#served.get(name)?.ready);
      const reasons = await this.#bringUp(name, seen);
      // Of a load that came to nothing, what served before still does, as it was asked for then.
      const isNew = this.#served.get(name)?.ready.some((version) => !before.has(version)) === true;
      if (reasons.length === 0 || isNew) this.#requested.stands(name);
      this.#handover.tell();
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
      this.#handover.tell();
      await this.#served.gone(name, untilMs);
    });
  }

  /**
   * Changes the number of a version's instances while it serves.
   *
   * @param count >= 1
   * @throws what {@link Servable.resize} throws
   */
  async scale(version: Servable, count: number): Promise<void> {
    try {
      await version.resize?.(count);
    } finally {
      // Of those that could not all be started, those that were stay.
      this.#handover.noteScaled(version);
      this.#handover.tell();
    }
  }

  /** Answers what is in flight, then frees every worker. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#looking?.catch(() => undefined);
    await this.#turns.allEnded();
    await this.#served.close();
    await this.#scanner.close();
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
        // One that failed when it was asked for may have been mended since.
        if (this.#served.get(member)?.highestReady !== undefined) continue;
      } else this.#requested.ask({ model: member, config: undefined, isAlong: true });
      await this.#turns.take(member, async () => {
        await this.#bringUp(member, seen);
        this.#requested.stands(member);
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

  async #loadAll(): Promise<void> {
    const { control, load, handover } = this.#options;
    const isExplicit = control === 'explicit';
    if (isExplicit)
      handover?.loads.forEach((before) => {
        this.#requested.ask(before);
      });
    const look = await this.#look();
    this.#note(look);
    if (!isExplicit || handover === undefined) {
      const isAll = !isExplicit || load.includes('*');
      const asked = new Set(isAll ? look.models.keys() : load);
      const members = isAll ? [] : [...asked].flatMap((name) => membersOf(this.#known, name));
      const along = new Set(members).difference(asked);
      for (const model of [...along, ...asked])
        this.#requested.ask({ model, config: undefined, isAlong: along.has(model) });
    }
    const threads = this.#threads();
    await Promise.all(
      this.#requested.names.map((name) => this.#loadAtStart(name, look.models.get(name), threads)),
    );
    await Promise.all(handover?.scaled.map((scaled) => this.#scaleAgain(scaled)) ?? []);
  }

  async #loadAtStart(name: string, seen: ModelLook | undefined, threads: number): Promise<void> {
    if (seen === undefined) {
      this.#requested.forget(name);
      const by =
        this.#options.handover === undefined
          ? 'models.load names it'
          : 'it was loaded before the server died';
      this.#notices.folder(name, `${by}, but no repository has a model of that name`);
      return;
    }
    await this.#turns.take(name, async () => {
      await this.#bringUp(name, seen, threads);
    });
    // What is configured is tried again by whoever takes over, whatever came of it here.
    this.#requested.stands(name);
  }

  async #scaleAgain({ model, version, digest, instances }: ScaledVersion): Promise<void> {
    const found = this.#served.get(model)?.version(version);
    if (found?.about.digest !== digest) return;
    await this.scale(found, instances).catch((error: unknown) => {
      const reason = error instanceof Error ? error.message : String(error);
      this.#options.events.onUnscaled?.(model, version, instances, reason);
    });
  }

  /** @returns the reasons of the versions that are wished and not served */
  async #bringUp(name: string, seen: ModelLook, threads = this.#threads()): Promise<readonly string[]> {
    const reasons = await this.#served.bringUp(name, seen, threads);
    this.#notices.model(name, seen);
    return reasons;
  }

  async #refresh(): Promise<Followed> {
    const before = this.#seen;
    const look = await this.#look();
    this.#note(look);
    if (this.#options.control !== 'poll') return { done: () => Promise.resolve([]) };
    const names = new Set([...look.models.keys(), ...this.#served.names]);
    const threads = this.#threads();
    const tasks: Promise<void>[] = [];
    for (const name of names) {
      const [earlier, now] = [before.models.get(name), look.models.get(name)];
      const isDone = now !== undefined && this.#done.has(now);
      if (isDone || this.#turns.isTaken(name)) continue;
      tasks.push(this.#turns.take(name, () => this.#follow(name, earlier, now, threads)));
    }
    return {
      done: async () => {
        await Promise.all(tasks);
        if (tasks.length > 0) this.#handover.tell();
      },
    };
  }

  async #follow(
    name: string,
    before: ModelLook | undefined,
    now: ModelLook | undefined,
    threads: number,
  ): Promise<void> {
    if (now !== undefined) {
      const isDone = await this.#served.update(name, settledBetween(before, now), threads);
      if (isDone) this.#done.add(now);
      this.#notices.model(name, now);
    } else if (before === undefined) this.#served.release(name);
  }

  async #look(
    overrideOf = (model: string): ConfigOverride | undefined => this.#requested.overrideOf(model),
  ): Promise<Look> {
    return lookAt(await this.#scanner.scan(), overrideOf, this.#seen);
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
