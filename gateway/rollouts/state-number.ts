import type { RolloutStateKind } from '../../experiments/rollouts/state.ts';

/** What `signalbox_rollout_state` says of a state: -1 taken back, 0 not begun, 1 under way, 2 waits for a person or a time, 3 everybody. */
export const STATE_NUMBERS: Readonly<Record<RolloutStateKind, number>> = {
  pending: 0,
  progressing: 1,
  paused: 2,
  waiting_for_approval: 2,
  promoting: 1,
  succeeded: 3,
  rolling_back: -1,
  rolled_back: -1,
  aborted: -1,
};
