import type { InferAnswer } from '../../backends/inference.ts';
import { epochOf } from '../../experiments/epoch.ts';
import type { Experiment } from '../../experiments/definition.ts';
import type { ExperimentSet } from '../../experiments/experiment-set.ts';
import { FaultCounter } from '../../experiments/rollouts/fault-counter.ts';
import type { Answered, MetFloor } from '../../experiments/rollouts/fault-counter.ts';
import type { RolloutPlan } from '../../experiments/rollouts/plan.ts';
import { targetOf } from '../../experiments/rollouts/rollout-step.ts';
import type { RolloutTarget } from '../../experiments/rollouts/state.ts';
import type { Target } from '../pipeline/call.ts';
import type { Outcome } from '../telemetry/metrics.ts';
import { hasNonFinite } from './non-finite.ts';

/** Told of each hard floor that is met, at the request that meets it, and by what. */
export type OnFloor = (experiment: string, met: MetFloor, target: RolloutTarget) => void;

/** Of workers and of ONNX Runtime: a heap that is full, and an allocation that fails. */
const OUT_OF_MEMORY = /out of memory|memory limit|allocate memory|bad_alloc|OutOfMemory/i;

/** A request that a worker died of; the death itself was counted. */
const OF_A_DEATH = 'worker died';

/** Sees how each request of a variant that is rolled out ends, also where another one answered in its place, and counts towards its hard floors. */
export class FaultWatch {
  readonly #onFloor: OnFloor;
  /** By experiment; a counter lasts as long as the weights stand still and the same is rolled out. */
  readonly #counters = new Map<string, { readonly stage: string; readonly counter: FaultCounter }>();

  constructor(onFloor: OnFloor) {
    this.#onFloor = onFloor;
  }

  /**
   * A request ended; its outputs can still be read.
   *
   * @param reason why it failed; undefined where it did not
   */
  answered(
    { choice }: Target,
    outcome: Outcome,
    answer: InferAnswer | undefined,
    reason: string | undefined,
  ): void {
    if (choice === undefined) return;
    const { experiment, variant } = choice;
    const { rollout, status } = experiment;
    if (rollout === undefined || status !== 'running' || variant.name !== rollout.variant) return;
    const met = this.#counterOf(experiment, rollout).answered({
      outcome: outcomeOf(outcome),
      isNonFinite: answer === undefined ? undefined : hasNonFinite(answer.outputs),
      isOutOfMemory: reason !== undefined && OUT_OF_MEMORY.test(reason) && !reason.includes(OF_A_DEATH),
    });
    if (met !== undefined) this.#onFloor(experiment.key, met, targetOf(experiment, rollout));
  }

  /** A worker of a version died. */
  workerDied({ byKey }: ExperimentSet, model: string, version: number, reason: string): void {
    for (const experiment of byKey.values()) {
      const { rollout, status, variants } = experiment;
      if (rollout === undefined || status !== 'running' || experiment.model !== model) continue;
      if (variants.find(({ name }) => name === rollout.variant)?.version !== version) continue;
      const met = this.#counterOf(experiment, rollout).workerDied(OUT_OF_MEMORY.test(reason));
      if (met !== undefined) this.#onFloor(experiment.key, met, targetOf(experiment, rollout));
    }
  }

  #counterOf(experiment: Experiment, plan: RolloutPlan): FaultCounter {
    const { key } = experiment;
    const { variant, version, phase } = targetOf(experiment, plan);
    const stage = `${phase} ${epochOf(experiment).epoch} ${version} ${variant}`;
    const known = this.#counters.get(key);
    if (known?.stage === stage) return known.counter;
    const counter = new FaultCounter(plan.hardFloor);
    this.#counters.set(key, { stage, counter });
    return counter;
  }
}

function outcomeOf(outcome: Outcome): Answered['outcome'] {
  switch (outcome) {
    case 'ok':
    case 'error':
    case 'timeout':
      return outcome;
    case 'client_error':
    case 'shed':
    case 'limited':
    case 'denied':
    case 'cancelled':
      return 'other';
  }
}
