import type { ReleaseReason } from '../inference.ts';
import type { BatchingConfig } from './batching-config.ts';
import type { CostModel } from './cost-model.ts';
import type { Lane } from './lane.ts';
import { TIMER_MARGIN_MS, latestStartMs } from './latency-target.ts';
import type { LatencyTarget } from './latency-target.ts';
import type { Pending } from './pending.ts';

/** What becomes of a lane while an instance is idle. */
export type Release =
  | {
      readonly kind: 'now';
      /** Rows to take at the most. */
      readonly rows: number;
      readonly reason: ReleaseReason;
    }
  | { readonly kind: 'wait'; readonly untilMs: number };

/** What {@link releaseOf} goes by. */
export interface ReleaseRules {
  readonly batching: BatchingConfig;
  /** Rows a batch may have, >= 1. */
  readonly maxRows: number;
  readonly cost: CostModel;
  readonly target: LatencyTarget | undefined;
}

/** Where the batcher stands. */
export interface Moment {
  readonly nowMs: number;
  readonly draining: boolean;
  /** Instances that live. */
  readonly instances: number;
}

/**
 * Decides whether the requests of a lane are run now, or wait for more.
 *
 * @param members the lane's requests in the order in which they are to be run; read only where the lane may have to wait
 */
export function releaseOf(
  lane: Lane,
  members: Iterable<Pending>,
  rules: ReleaseRules,
  moment: Moment,
): Release {
  const { batching, maxRows, target } = rules;
  // A batch of at most one row takes one request, whole: nothing is shared.
  if (!batching.enabled) return { kind: 'now', rows: 1, reason: moment.draining ? 'drain' : 'idle' };
  if (lane.rows >= maxRows) return { kind: 'now', rows: maxRows, reason: 'full' };
  if (moment.draining) return { kind: 'now', rows: maxRows, reason: 'drain' };
  const delayMs =
    batching.maxQueueDelayMs > 0 ? batching.maxQueueDelayMs : target === undefined ? 0 : Infinity;
  // A model that doesn't batch has nothing to wait for.
  if (delayMs === 0 || maxRows === 1) return { kind: 'now', rows: maxRows, reason: 'idle' };
  if (target !== undefined) {
    const worthwhile = target.rowsWorthWaitingFor(moment.instances, maxRows, moment.nowMs);
    if (lane.rows >= worthwhile) return { kind: 'now', rows: maxRows, reason: 'idle' };
  }
  const waiting = [...members];
  const preferred = largestPreferred(waiting, batching.preferredBatchSizes);
  if (preferred > 0) return { kind: 'now', rows: preferred, reason: 'preferred' };
  const delayedUntilMs = lane.oldestArrivalMs + delayMs;
  const inTimeUntilMs = latestReleaseMs(lane.rows, waiting, rules);
  if (inTimeUntilMs < delayedUntilMs && inTimeUntilMs <= moment.nowMs) {
    return { kind: 'now', rows: maxRows, reason: 'deadline' };
  }
  if (delayedUntilMs <= moment.nowMs) return { kind: 'now', rows: maxRows, reason: 'delay' };
  return { kind: 'wait', untilMs: Math.min(delayedUntilMs, inTimeUntilMs) };
}

/** When a lane has to be run at the latest, so that none of its requests is answered too late or outstays its timeout. */
function latestReleaseMs(rows: number, members: readonly Pending[], { cost, target }: ReleaseRules): number {
  let answerByMs = Infinity;
  let leaveByMs = Infinity;
  for (const { arrivalMs, request, timeoutAtMs } of members) {
    const targetMs = target === undefined ? Infinity : arrivalMs + target.targetMs;
    answerByMs = Math.min(answerByMs, request.deadlineMs, targetMs);
    leaveByMs = Math.min(leaveByMs, timeoutAtMs);
  }
  return Math.min(latestStartMs(cost, rows, answerByMs), leaveByMs - TIMER_MARGIN_MS);
}

/** The largest preferred size that the first of a lane's requests add up to; 0 where there is none. */
function largestPreferred(members: readonly Pending[], preferredRows: readonly number[]): number {
  let found = 0;
  let rows = 0;
  for (const pending of members) {
    rows += pending.rows;
    if (rows > found && preferredRows.includes(rows)) found = rows;
  }
  return found;
}
