import { drivenRollout } from '../../experiments/rollouts/rollout-step.ts';
import type { DrivenRollout } from '../../experiments/rollouts/rollout-step.ts';
import type { Situation } from '../../experiments/standing/in-force.ts';

/** A version that processes before this one died under. */
export interface DiedUnder {
  readonly model: string;
  readonly version: number;
  /** When each of them died, in milliseconds of `Date.now()`. */
  readonly atMs: readonly number[];
}

/** What a process knows of the one before it. */
export interface Remembered {
  /** Whether where a rollout stands outlives the process; where it doesn't, the rollout has begun anew with this one. */
  readonly isKept: boolean;
  /** Of the store that has where rollouts stand, in milliseconds since 1970. */
  readonly nowMs: number;
}

/** How many processes died under what an experiment rolls out, since its rollout stands where it does. */
export function deathsOfTarget(
  situation: Situation,
  died: readonly DiedUnder[],
  { isKept, nowMs }: Remembered,
): number {
  const driven = drivenRollout(situation);
  if (driven === undefined) return 0;
  const { model } = situation.experiment;
  const { version } = driven.target;
  const times = died.find((one) => one.model === model && one.version === version)?.atMs ?? [];
  const sinceMs = isKept ? sinceOf(driven) : -Infinity;
  // The store's clock may be another machine's.
  const aheadMs = nowMs - Date.now();
  return times.filter((atMs) => atMs + aheadMs >= sinceMs).length;
}

/** Since when the rollout stands where it does; what has not begun has no deaths. */
function sinceOf({ record }: DrivenRollout): number {
  if (record === undefined) return Infinity;
  return 'at' in record.state ? record.state.at.sinceMs : record.state.sinceMs;
}
