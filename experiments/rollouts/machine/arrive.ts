import { trafficAt } from '../plan.ts';
import type { RolloutPlan } from '../plan.ts';
import type { Cause, Progress } from '../state.ts';
import type { Surroundings, Transition } from './event.ts';

/** Where it goes, why, and what that is judged with. */
export interface Arrival extends Surroundings {
  readonly plan: RolloutPlan;
  readonly cause: Cause;
}

/**
 * Goes on to a step, through those that only set something, to the first that waits.
 *
 * @returns undefined where a variant that isn't ready would get a share
 */
export function arrive(from: number, arrival: Arrival): Transition | undefined {
  const { plan, cause, nowMs, isReady } = arrival;
  const step = firstWaiting(plan, from);
  const waiting = plan.steps[step];
  if (waiting === undefined && plan.autoPromote) return promoteAll(arrival);
  const { weight, rules } = trafficAt(plan, step);
  if (!isReady && (weight > 0 || rules.length > 0)) return undefined;
  const at: Progress = { step, sinceMs: nowMs, passes: 0, failures: 0, inconclusive: 0 };
  if (waiting?.kind === 'analysis') return { state: { kind: 'progressing', at }, cause };
  if (waiting?.kind === 'pause' && waiting.durationMs !== undefined) {
    return {
      state: { kind: 'paused', at, hold: { by: 'plan', untilMs: nowMs + waiting.durationMs } },
      cause,
    };
  }
  return { state: { kind: 'waiting_for_approval', at }, cause };
}

/** As {@link arrive}, sent by a person: past the last step, that is the approval. */
export function arriveApproved(from: number, arrival: Arrival): Transition | undefined {
  const { plan } = arrival;
  return firstWaiting(plan, from) === plan.steps.length ? promoteAll(arrival) : arrive(from, arrival);
}

/** @returns undefined where the variant isn't ready */
export function promoteAll({ cause, nowMs, isReady }: Arrival): Transition | undefined {
  return isReady ? { state: { kind: 'promoting', sinceMs: nowMs }, cause } : undefined;
}

/** As many as there are steps: none waits any more. */
function firstWaiting({ steps }: RolloutPlan, from: number): number {
  const index = steps.findIndex(({ kind }, at) => at >= from && (kind === 'pause' || kind === 'analysis'));
  return index === -1 ? steps.length : index;
}
