import type { ModelRepository } from '../../backends/repository/repository.ts';
import type { Servable } from '../../backends/servable.ts';
import type { ExperimentSet, ModelExperiments } from '../../experiments/experiment-set.ts';
import { reachableVariants } from '../../experiments/reachable-variants.ts';
import type { Variant } from '../../experiments/variant.ts';
import type { Queue } from './load-shedder.ts';

/** What a call's head says of where it goes. */
export interface CallTarget {
  readonly model: string;
  /** As it was sent; undefined: experiments, or the gateway, choose. */
  readonly version: string | undefined;
  /** Whether the caller names its variant, so that any may be meant. */
  readonly isOverride: boolean;
}

/** The queues that calls have before them while it is not decided yet which version answers. */
export class QueuesAhead {
  readonly #repository: Pick<ModelRepository, 'model'>;
  readonly #experiments: () => ExperimentSet;
  readonly #reachable = new WeakMap<ModelExperiments, readonly Variant[]>();

  constructor(repository: Pick<ModelRepository, 'model'>, experiments: () => ExperimentSet) {
    this.#repository = repository;
    this.#experiments = experiments;
  }

  /**
   * The shortest queue that a call may come into: whoever can't bear that one can bear none.
   *
   * @param bearableMs where a queue has no longer a wait, it is not asked whether another one is shorter still
   * @returns undefined where a version may answer that is not known to have a queue
   */
  shortest({ model, version, isOverride }: CallTarget, bearableMs: number): Queue | undefined {
    const served = this.#repository.model(model);
    if (served === undefined || isOverride) return undefined;
    if (version !== undefined) return served.version(Number(version));
    const experiments = this.#experiments().byModel.get(model);
    if (experiments === undefined) return served.highestReady;
    let shortest: Servable | undefined;
    let shortestMs = Infinity;
    for (const variant of this.#reachableOf(experiments)) {
      if (variant.upstream !== undefined) return undefined;
      const servable = served.version(variant.version);
      // Who would get a version that is not ready gets another variant, or nobody.
      if (servable === undefined) continue;
      const waitMs = servable.expectedWaitMs;
      if (waitMs === undefined) return undefined;
      if (waitMs <= bearableMs) return servable;
      if (waitMs >= shortestMs) continue;
      shortest = servable;
      shortestMs = waitMs;
    }
    return shortest;
  }

  #reachableOf(experiments: ModelExperiments): readonly Variant[] {
    let reachable = this.#reachable.get(experiments);
    if (reachable === undefined) {
      reachable = experiments.candidates.flatMap(reachableVariants);
      this.#reachable.set(experiments, reachable);
    }
    return reachable;
  }
}
