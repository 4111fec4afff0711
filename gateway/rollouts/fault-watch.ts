import type { InferAnswer } from '../../backends/inference.ts';
import type { Tensor } from '../../backends/tensor/tensor.ts';
import type { Reason } from '../../experiments/decision.ts';
import { epochOf } from '../../experiments/epoch.ts';
import type { Experiment } from '../../experiments/definition.ts';
import type { ExperimentSet } from '../../experiments/experiment-set.ts';
import { FaultCounter } from '../../experiments/rollouts/fault-counter.ts';
import type { Answered, MetFloor } from '../../experiments/rollouts/fault-counter.ts';
import type { RolloutPlan } from '../../experiments/rollouts/plan.ts';
import { targetOf } from '../../experiments/rollouts/rollout-step.ts';
import type { RolloutTarget } from '../../experiments/rollouts/state.ts';
import type { Bearing } from '../pipeline/bearing.ts';
import type { EndedRequest } from '../pipeline/ended-request.ts';
import { Patience } from '../upstream/patience.ts';
import { hasNonFinite } from './non-finite.ts';

/** Told of each hard floor that is met, at the request that meets it, and by what. */
export type OnFloor = (experiment: string, met: MetFloor, target: RolloutTarget) => void;

/** Of workers and of ONNX Runtime: a heap that is full, and an allocation that fails. */
const OUT_OF_MEMORY = /out of memory|memory limit|allocate memory|bad_alloc|OutOfMemory/i;

/** Whom the rollout sent to the variant: its weights, or its rules. Who names a variant tries it out. */
const COUNTED: readonly Reason[] = ['split', 'sticky', 'targeting'];

/** A request that a worker died of; the death itself was counted. */
const OF_A_DEATH = 'worker died';

/** What is known while the weights stand still and the same is rolled out. */
interface Stage {
  readonly name: string;
  readonly counter: FaultCounter;
  /** What the control lets its callers wait. */
  readonly patience: Patience;
}

/**
 * Sees how each request of a variant that is rolled out ends, also where another one answered in its place, and counts towards its hard floors.
 *
 * What a caller brings about alone counts for nothing: a variant that was asked for by name, a deadline that the control doesn't meet either, an
 * output that is not finite because an input was not.
 */
export class FaultWatch {
  readonly #onFloor: OnFloor;
  /** By experiment. */
  readonly #stages = new Map<string, Stage>();

  constructor(onFloor: OnFloor) {
    this.#onFloor = onFloor;
  }

  /** A request ended. */
  answered({ target, bearing, answer, inputs, reason, totalMs, patienceMs }: EndedRequest): void {
    const { choice } = target;
    if (choice === undefined) return;
    const { experiment, variant } = choice;
    const { rollout, status } = experiment;
    if (rollout === undefined || status !== 'running') return;
    if (variant.name === experiment.control.name) {
      const { counter, patience } = this.#stageOf(experiment, rollout);
      if (bearing === 'ok') patience.answered(totalMs);
      if (bearing === 'shed') counter.controlShed();
      return;
    }
    if (variant.name !== rollout.variant || !COUNTED.includes(choice.reason)) return;
    const { counter, patience } = this.#stageOf(experiment, rollout);
    const isImpatient = patienceMs < Infinity && !patience.isEnough(patienceMs);
    const met = counter.answered({
      outcome: countedAs(bearing, isImpatient),
      unit: choice.unit,
      isNonFinite: answer && isNonFinite(answer, inputs),
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
      const met = this.#stageOf(experiment, rollout).counter.workerDied(OUT_OF_MEMORY.test(reason));
      if (met !== undefined) this.#onFloor(experiment.key, met, targetOf(experiment, rollout));
    }
  }

  /** Processes died while they ran what is rolled out: each took the worker with it. */
  processesDied(experiment: Experiment, deaths: number): void {
    const { rollout, status } = experiment;
    if (rollout === undefined || status !== 'running') return;
    const { counter } = this.#stageOf(experiment, rollout);
    for (let death = 0; death < deaths; death += 1) {
      const met = counter.workerDied(false);
      if (met !== undefined) this.#onFloor(experiment.key, met, targetOf(experiment, rollout));
    }
  }

  #stageOf(experiment: Experiment, plan: RolloutPlan): Stage {
    const { key } = experiment;
    const { variant, version, phase } = targetOf(experiment, plan);
    const name = `${phase} ${epochOf(experiment).epoch} ${version} ${variant}`;
    const known = this.#stages.get(key);
    if (known?.name === name) return known;
    const stage = {
      name,
      counter: new FaultCounter(plan.hardFloor),
      patience: known?.patience ?? new Patience(),
    };
    this.#stages.set(key, stage);
    return stage;
  }
}

/** Undefined where nothing can be told: the caller sent what is not finite. */
function isNonFinite({ outputs }: InferAnswer, inputs: readonly Tensor[]): boolean | undefined {
  if (!hasNonFinite(outputs)) return false;
  return hasNonFinite(inputs) ? undefined : true;
}

function countedAs(bearing: Bearing, isImpatient: boolean): Answered['outcome'] {
  switch (bearing) {
    case 'ok':
    case 'error':
      return bearing;
    case 'timeout':
    case 'shed':
      return isImpatient ? 'other' : bearing;
    case 'client_error':
    case 'none':
      return 'other';
  }
}
