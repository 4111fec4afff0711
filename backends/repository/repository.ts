import type { ImagePool } from '../image/image-pool.ts';
import type { Servable } from '../servable.ts';
import { loadAtStart } from './load-at-start.ts';
import { settledBetween, wantedVersions } from './look.ts';
import type { ModelLook } from './look.ts';
import { RepositoryError } from './repository-error.ts';
import { wholeIndex } from './repository-index.ts';
import { RepositoryModels } from './repository-models.ts';
import type { LoadRequest, ModelControl, RepositoryOptions } from './repository-options.ts';
import { RequestedLoads } from './requested-loads.ts';
import type { IndexEntry, ServedModel } from './served-model.ts';

/** What a look has set going; the look itself is over before it. */
interface Followed {
  readonly done: () => Promise<unknown>;
}

/** The models of the repositories' folders: which of them are served is up to whoever has the control. */
export class ModelRepository {
  readonly #models: RepositoryModels;
  readonly #loads: RequestedLoads;
  #looking: Promise<Followed> | undefined;
  /** What was seen of models that they have been brought up to: as long as it is seen again, there is nothing to do. */
  readonly #done = new WeakSet<ModelLook>();
  #isClosed = false;

  /**
   * Loads what the control says.
   *
   * @throws Error when a repository's folder can't be read; a model that can't be loaded only fails itself
   */
  static async open(options: RepositoryOptions): Promise<ModelRepository> {
    const models = new RepositoryModels(options);
    try {
      await loadAtStart(models);
    } catch (error) {
      await models.close();
      throw error;
    }
    models.handover.begin();
    return new ModelRepository(models);
  }

  private constructor(models: RepositoryModels) {
    this.#models = models;
    this.#loads = new RequestedLoads(models);
  }

  get control(): ModelControl {
    return this.#models.options.control;
  }

  /** What decodes images; it is closed with the repository. */
  get images(): ImagePool {
    return this.#models.served.images;
  }

  model(name: string): ServedModel | undefined {
    return this.#models.served.get(name);
  }

  /**
   * The versions of a model that are served or could be loaded, ascending; undefined where no repository has the model.
   * What its version policy passes over is not among them.
   */
  versionsOf(name: string): readonly number[] | undefined {
    const model = this.#models.served.get(name);
    if (model !== undefined) return model.versions;
    const seen = this.#models.options.control === 'explicit' ? this.#models.seen.get(name) : undefined;
    return seen?.settings.kind === 'read' ? wantedVersions(seen) : undefined;
  }

  /** By name. */
  get models(): readonly ServedModel[] {
    return this.#models.served.all;
  }

  /** Versions that take no more requests, and answer their last ones. */
  get draining(): readonly Servable[] {
    return this.#models.served.draining;
  }

  /**
   * Every version of every model, by name and number, with the reason of those that aren't ready: those that are served, those
   * that answer their last requests, and with explicit control those that could be loaded.
   */
  index(): readonly IndexEntry[] {
    const unloaded =
      this.#models.options.control === 'explicit'
        ? [...this.#models.seen.last.models.values()].filter(
            ({ folder }) => this.#models.served.get(folder.name) === undefined,
          )
        : [];
    return wholeIndex(this.#models.served.index(), unloaded);
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
  async load(name: string, request?: LoadRequest): Promise<void> {
    this.#checkExplicit();
    await this.#loads.load(name, request);
  }

  /**
   * Loads a model that was put into a repository just now, without waiting for a second look at it.
   *
   * @throws RepositoryError where a version of it can't be loaded
   */
  async loadPlaced(name: string): Promise<void> {
    this.#checkOpen();
    await this.#loads.load(name);
  }

  /**
   * Forgets what was put into a repository and is not there any more.
   *
   * @param whole whether nothing is left of the model
   */
  async withdraw(name: string, whole: boolean): Promise<void> {
    if (whole) await this.#loads.forget(name);
    else await this.#loads.load(name).catch(() => undefined);
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
    await this.#loads.unload(name, withMembers);
  }

  /**
   * Changes the number of a version's instances while it serves.
   *
   * @param count >= 1
   * @throws what {@link Servable.resize} throws
   */
  async scale(version: Servable, count: number): Promise<void> {
    await this.#models.scale(version, count);
  }

  /** Answers what is in flight, then frees every worker. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#looking?.catch(() => undefined);
    await this.#models.close();
  }

  #checkOpen(): void {
    if (this.#isClosed) throw new RepositoryError('not_allowed', 'the gateway is stopping');
  }

  #checkExplicit(): void {
    this.#checkOpen();
    if (this.#models.options.control === 'explicit') return;
    const message = 'explicit model load / unload is not allowed if polling is enabled';
    throw new RepositoryError('not_allowed', `${message}; set models.control: explicit`);
  }

  async #refresh(): Promise<Followed> {
    const before = this.#models.seen.last;
    const look = await this.#models.look();
    if (this.#models.options.control !== 'poll') return { done: () => Promise.resolve([]) };
    const names = new Set([...look.models.keys(), ...this.#models.served.names]);
    const threads = this.#models.threads();
    const tasks: Promise<void>[] = [];
    for (const name of names) {
      const [earlier, now] = [before.models.get(name), look.models.get(name)];
      const isDone = now !== undefined && this.#done.has(now);
      if (isDone || this.#models.turns.isTaken(name)) continue;
      tasks.push(this.#models.turns.take(name, () => this.#follow(name, earlier, now, threads)));
    }
    return {
      done: async () => {
        await Promise.all(tasks);
        if (tasks.length > 0) this.#models.handover.tell();
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
      const isDone = await this.#models.served.update(name, settledBetween(before, now), threads);
      if (isDone) this.#done.add(now);
      this.#models.notices.model(name, now);
    } else if (before === undefined) this.#models.served.release(name);
  }
}
