import type { RolloutState } from '../state.ts';

/** The state of a rollout that nothing has happened to. */
export function beginRollout(nowMs: number): RolloutState {
  return { kind: 'pending', sinceMs: nowMs };
}
