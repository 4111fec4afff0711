import type { Experiment } from '../definition.ts';
import type { Command, Outcome, RolloutCommands, Said } from '../standing/command.ts';
import type { Situation } from '../standing/in-force.ts';
import { advance } from './machine/advance.ts';
import { beginRollout } from './machine/begin.ts';
import type { RolloutEvent, Surroundings } from './machine/event.ts';
import type { Variant } from '../variant.ts';
import type { RolloutPlan } from './plan.ts';
import { rolloutSplit } from './split.ts';
import { isSameTarget, readRecord } from './state.ts';
import type { Cause, RolloutRecord, RolloutTarget } from './state.ts';

/** A rollout that is driven: its plan, and where it stands; undefined: nothing was stored of what is rolled out now. */
export interface DrivenRollout {
  readonly plan: RolloutPlan;
  readonly target: RolloutTarget;
  readonly record: RolloutRecord | undefined;
}

/** @returns undefined where the experiment has no rollout, or its file doesn't have it running */
export function drivenRollout({ experiment, standing }: Situation): DrivenRollout | undefined {
  const { rollout: plan, status } = experiment;
  if (plan === undefined || status !== 'running') return undefined;
  const target = targetOf(experiment, plan);
  const record = readRecord(standing.split.rollout);
  return {
    plan,
    target,
    record: record !== undefined && isSameTarget(record.target, target) ? record : undefined,
  };
}

/**
 * What an experiment rolls out.
 *
 * @returns version 0 for a server elsewhere that is asked for no version of its own
 */
export function targetOf(experiment: Experiment, plan: RolloutPlan): RolloutTarget {
  const { version, upstream } = variantOf(experiment, plan);
  return { variant: plan.variant, version: version ?? upstream.version ?? 0, phase: experiment.phase };
}

/** What is rolled out. */
export function variantOf({ variants, control }: Experiment, plan: RolloutPlan): Variant {
  return variants.find(({ name }) => name === plan.variant) ?? control;
}

/** What an event makes of a rollout, with why; it is stored before it takes effect. */
export interface RolloutStep {
  readonly record: RolloutRecord;
  readonly cause: Cause;
}

/** @returns undefined where the event changes nothing */
export function stepRollout(
  { plan, target, record }: DrivenRollout,
  event: RolloutEvent,
  surroundings: Surroundings,
): RolloutStep | undefined {
  if (record === undefined) {
    const what = target.version === 0 ? 'a server elsewhere' : `version ${target.version}`;
    const message = `${what} is rolled out as ${target.variant}`;
    return {
      record: { target, state: beginRollout(surroundings.nowMs) },
      cause: { code: 'new_version', message },
    };
  }
  const transition = advance(plan, record.state, event, surroundings);
  return transition && { record: { target, state: transition.state }, cause: transition.cause };
}

/**
 * @param isReady whether a variant of a model can answer
 * @param misfitOf why a variant can't answer what the control answers
 */
export function rolloutCommands(
  isReady: (model: string, variant: Variant) => boolean,
  misfitOf: (experiment: Experiment, variant: Variant) => string | undefined,
): RolloutCommands {
  return (command, situation, nowMs, said) => {
    const driven = drivenRollout(situation);
    if (driven === undefined) return undefined;
    const { experiment } = situation;
    const { plan, target } = driven;
    if (command.action === 'promote' && command.variant !== undefined && command.variant !== plan.variant) {
      const message = `the rollout of ${experiment.key} is of ${plan.variant}; take the rollout out of the file to promote another`;
      return { kind: 'refused', fault: 'not_possible', message };
    }
    const misfit = misfitOf(experiment, variantOf(experiment, plan));
    if (misfit !== undefined && (command.action === 'promote' || command.action === 'resume')) {
      const message = `${plan.variant} ${misfit}, as the control does: nobody is sent there`;
      return { kind: 'refused', fault: 'not_possible', message };
    }
    const record = driven.record ?? { target, state: beginRollout(nowMs) };
    const surroundings = { nowMs, isReady: isReady(experiment.model, variantOf(experiment, plan)) };
    const stepped = stepRollout({ plan, target, record }, eventOf(command, said), surroundings);
    if (stepped !== undefined)
      return { kind: 'change', split: rolloutSplit(experiment, plan, stepped.record) };
    return whyNot(command, plan, record, surroundings);
  };
}

function eventOf(command: Command, { by, reason }: Said): RolloutEvent {
  const named = command.action === 'promote' && command.full ? 'promote_full' : command.action;
  return {
    kind: 'command',
    command: named,
    by: by === '' ? 'a person' : by,
    reason: reason === '' ? `${command.action} by hand` : reason,
  };
}

/** A command that changes nothing: it is so already, or it can't be. */
function whyNot(
  { action }: Command,
  { variant }: RolloutPlan,
  { state }: RolloutRecord,
  { isReady }: Surroundings,
): Outcome {
  const refused = (message: string): Outcome => ({ kind: 'refused', fault: 'not_possible', message });
  const isPromoted = state.kind === 'promoting' || state.kind === 'succeeded';
  switch (action) {
    case 'promote':
      if (isPromoted) return { kind: 'same' };
      return isReady
        ? refused('the rollout is being rolled back; ask again when it is')
        : refused(`${variant} can't answer, so nobody is sent there; see why it is not ready`);
    case 'pause':
      return state.kind === 'paused'
        ? { kind: 'same' }
        : refused(`the rollout is ${state.kind.replaceAll('_', ' ')}; there is nothing to pause`);
    case 'resume':
    case 'rollback':
      return { kind: 'same' };
  }
}
