import { isDeepStrictEqual } from 'node:util';
import type { Logger } from 'pino';
import type { Experiment } from '../../experiments/definition.ts';
import type { RolloutEvent } from '../../experiments/rollouts/machine/event.ts';
import { drivenRollout, stepRollout, variantOf } from '../../experiments/rollouts/rollout-step.ts';
import type { DrivenRollout, RolloutStep } from '../../experiments/rollouts/rollout-step.ts';
import { rolloutSplit } from '../../experiments/rollouts/split.ts';
import { isSameTarget } from '../../experiments/rollouts/state.ts';
import type { RolloutRecord, RolloutTarget } from '../../experiments/rollouts/state.ts';
import type { Outcome } from '../../experiments/standing/command.ts';
import type { Situation } from '../../experiments/standing/in-force.ts';
import type { Cause as StandingCause } from '../../experiments/standing/standing.ts';
import type { Fence } from '../../experiments/stores/state-store.ts';
import type { Variant } from '../../experiments/variant.ts';
import type { StandingBook } from '../standing/standing-book.ts';

/** What a step was decided on; or the target of what has to roll back, whatever has become of its rollout. */
export type StepBasis =
  { readonly judgedOn: RolloutRecord | undefined } | { readonly whateverBecameOf: RolloutTarget };

export interface RolloutStepsOptions {
  readonly experiments: Pick<StandingBook, 'change'>;
  /** Whether a variant of a model can answer. */
  readonly isReady: (model: string, variant: Variant) => boolean;
  /** Why a variant can't answer what the control answers; undefined: it may. */
  readonly misfitOf: (experiment: Experiment, variant: Variant) => string | undefined;
  /** `alone`: no other process drives these rollouts. Otherwise what a leader's writes stand under; undefined: somebody else leads. */
  readonly lead: () => 'alone' | Fence | undefined;
  /** Names this process in the audit log. */
  readonly replica: string;
  readonly log: Logger;
  /** Milliseconds since 1970, the same on all replicas. */
  readonly nowMs: () => number;
}

/** The steps of rollouts: what the state machine makes of an event now, and how a step gets into the store. */
export class RolloutSteps {
  readonly #options: RolloutStepsOptions;

  constructor(options: RolloutStepsOptions) {
    this.#options = options;
  }

  /** What an event makes of a rollout; undefined: it stays where it is. */
  next(experiment: Experiment, driven: DrivenRollout, event: RolloutEvent): RolloutStep | undefined {
    const { isReady, misfitOf, nowMs } = this.#options;
    const variant = variantOf(experiment, driven.plan);
    return stepRollout(driven, event, {
      nowMs: nowMs(),
      isReady: isReady(experiment.model, variant),
      misfit: misfitOf(experiment, variant),
    });
  }

  /**
   * Stores a step, unless the rollout has moved on since. What rolls back stands under no lease: anybody may go back.
   *
   * @throws StoreUnavailable
   * @throws LeaseLost
   */
  async take(
    key: string,
    basis: StepBasis,
    event: RolloutEvent,
    { record, cause }: RolloutStep,
  ): Promise<void> {
    const { experiments, lead, log } = this.#options;
    const decide = ({ experiment, standing }: Situation): Outcome => {
      const driven = drivenRollout({ experiment, standing });
      if (driven === undefined || !stands(basis, driven)) return { kind: 'same' };
      // What was counted is lost where the store was since the step was decided: a person has to say how it goes on.
      if ('judgedOn' in basis && standing.isRecovered) return { kind: 'same' };
      const step = this.next(experiment, driven, event);
      if (step === undefined) return { kind: 'same' };
      return { kind: 'change', split: rolloutSplit(experiment, driven.plan, step.record) };
    };
    const fence = 'judgedOn' in basis ? lead() : 'alone';
    if (fence === undefined) return;
    const changed = await experiments.change(key, decide, {
      cause: this.#standingCause(record, cause),
      ...(fence !== 'alone' && { fence }),
    });
    if (changed.kind === 'changed')
      log.info({ experiment: key, state: record.state.kind, cause }, 'the rollout moved on');
  }

  #standingCause({ state }: RolloutRecord, { code, message }: RolloutStep['cause']): StandingCause {
    const { replica, nowMs } = this.#options;
    return {
      action: `rollout.${state.kind}`,
      reason: `${code}: ${message}`,
      actor: { kind: 'rollout', id: replica, name: '', address: '' },
      at: new Date(nowMs()).toISOString(),
    };
  }
}

/** Whether what a step was decided on still stands. */
function stands(basis: StepBasis, { record, target }: DrivenRollout): boolean {
  return 'judgedOn' in basis
    ? isDeepStrictEqual(record, basis.judgedOn)
    : isSameTarget(target, basis.whateverBecameOf);
}
