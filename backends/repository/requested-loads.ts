import { allStepsOf } from '../ensemble/ensemble-config.ts';
import { circleFrom, membersOf } from '../ensemble/find-members.ts';
import { checkSteps } from './check-steps.ts';
import { wantedVersions } from './look.ts';
import type { Look, ModelLook } from './look.ts';
import { RepositoryError } from './repository-error.ts';
import type { RepositoryModels } from './repository-models.ts';
import type { LoadRequest } from './repository-options.ts';
import { overrideOfLoad } from './requested-models.ts';

/** Loads and unloads models one by one, because somebody asks. */
export class RequestedLoads {
  readonly #models: RepositoryModels;

  constructor(models: RepositoryModels) {
    this.#models = models;
  }

  /**
   * Loads every version of a model that its version policy wants, and the models that it needs. It resolves when they take traffic.
   *
   * @throws RepositoryError where a version can't be loaded, one would go that is needed, or the configuration has a step that it may
   * not; what served before goes on
   */
  async load(name: string, { config, mayUse = () => true }: LoadRequest = {}): Promise<void> {
    const { seen: folders, served, requested, turns, handover } = this.#models;
    const override = config === undefined ? undefined : overrideOfLoad(name, config);
    await turns.take(name, async () => {
      // Of the others it takes what was seen before, but for what has changed since.
      const look = await folders.look((model) => (model === name ? override : requested.overrideOf(model)));
      const seen = look.models.get(name);
      if (seen === undefined) {
        throw new RepositoryError('failed', `failed to load '${name}', failed to poll from model repository`);
      }
      if (override !== undefined) checkSteps(seen, mayUse);
      this.#checkNeeded('load', name, wantedVersions(seen));
      folders.takeOne(name, seen, look);
      requested.ask({ model: name, config, isAlong: false });
      await this.#loadMembers(name, seen, look);
      const before = new Set(served.get(name)?.ready);
      const reasons = await this.#models.bringUp(name, seen);
      // Of a load that came to nothing, what served before still does, as it was asked for then.
      const isNew = served.get(name)?.ready.some((version) => !before.has(version)) === true;
      if (reasons.length === 0 || isNew) requested.stands(name);
      handover.tell();
      if (reasons.length > 0)
        throw new RepositoryError(
          // What the caller wrote itself is its own mistake.
          override !== undefined && seen.settings.kind === 'refused' ? 'invalid' : 'failed',
          `failed to load '${name}', ${reasons.join('; ')}`,
        );
    });
  }

  /** Forgets a model whose folder is not there any more. */
  async forget(name: string): Promise<void> {
    const { served, requested, turns, handover } = this.#models;
    await turns.take(name, () => {
      requested.forget(name);
      served.remove(name);
      handover.tell();
      return Promise.resolve();
    });
  }

  /**
   * @param withMembers also the models that were loaded only because this ensemble needs them
   * @throws RepositoryError where the model isn't loaded, or one of its versions is needed
   */
  async unload(name: string, withMembers: boolean): Promise<void> {
    const { served, known, requested } = this.#models;
    const untilMs = performance.now() + served.unloadWaitMs;
    const members = withMembers ? membersOf(known, name) : [];
    await this.#unloadOne(name, untilMs);
    for (const member of members.toReversed()) {
      if (requested.isLeftOver(member)) await this.#unloadOne(member, untilMs);
    }
  }

  /** @param untilMs of `performance.now()`: what isn't gone by then goes later */
  async #unloadOne(name: string, untilMs: number): Promise<void> {
    const { served, requested, turns, handover } = this.#models;
    await turns.take(name, async () => {
      if (served.get(name) === undefined)
        throw new RepositoryError('failed', `failed to unload '${name}', it is not loaded`);
      this.#checkNeeded('unload', name, []);
      requested.forget(name);
      served.remove(name);
      handover.tell();
      await served.gone(name, untilMs);
    });
  }

  /** Loads what an ensemble needs and is not loaded, as Triton does. */
  async #loadMembers(name: string, { settings }: ModelLook, look: Look): Promise<void> {
    const { known, served, requested, turns } = this.#models;
    const backend = settings.kind === 'read' ? settings.config.backend : undefined;
    // Of ensembles that are steps of each other, each would wait for the other.
    const isCircular = allStepsOf(backend).some(
      (ensemble) => circleFrom(known, { model: name, ensemble }) !== undefined,
    );
    if (isCircular) return;
    for (const member of membersOf(known, name)) {
      const seen = look.models.get(member);
      if (seen === undefined) continue;
      if (requested.has(member)) {
        await turns.ended(member);
        // One that failed when it was asked for may have been mended since.
        if (served.get(member)?.highestReady !== undefined) continue;
      } else requested.ask({ model: member, config: undefined, isAlong: true });
      await turns.take(member, async () => {
        await this.#models.bringUp(member, seen);
        requested.stands(member);
      });
    }
  }

  /** @throws RepositoryError where a version that serves is needed, and isn't among those that stay */
  #checkNeeded(action: string, name: string, staying: readonly number[]): void {
    const { options, served } = this.#models;
    for (const { about } of served.get(name)?.ready ?? []) {
      const { version } = about;
      const why = staying.includes(version) ? undefined : options.neededBy?.(name, version);
      if (why !== undefined)
        throw new RepositoryError(
          'in_use',
          `failed to ${action} '${name}', version ${version} would be gone: ${why}`,
        );
    }
  }
}
