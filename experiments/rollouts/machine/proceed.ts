import { arrive } from './arrive.ts';
import { causeOf } from './cause.ts';
import type { OwnEvent } from './event.ts';
import { heldByDoubt, judged, overheard } from './judged.ts';
import { stay } from './moves.ts';
import type { Moves } from './moves.ts';

/** What each state does by itself, after nothing was found that rolls back. */
export const BY_ITSELF: Moves<OwnEvent> = {
  pending(_state, turn) {
    const { plan, isReady } = turn;
    if (!isReady) return undefined;
    return arrive(0, { ...turn, cause: causeOf('variant_ready', `${plan.variant} can answer`) });
  },

  progressing({ at }, turn) {
    return turn.event.kind === 'analysed' ? judged(at, turn.event.judgement, turn) : undefined;
  },

  paused(state, turn) {
    const { event, nowMs } = turn;
    const { at, hold } = state;
    const held =
      event.kind === 'analysed' && hold.by === 'plan' ? heldByDoubt(at, event.judgement) : undefined;
    if (held !== undefined) return held;
    const counted = event.kind === 'analysed' ? overheard(state, event.judgement) : undefined;
    if (hold.by !== 'plan' || nowMs < hold.untilMs) return counted;
    const cause = causeOf('pause_over', `the pause of step ${at.step + 1} is over`);
    return arrive(at.step + 1, { ...turn, cause }) ?? counted;
  },

  waiting_for_approval(state, { event }) {
    return event.kind === 'analysed' ? overheard(state, event.judgement) : undefined;
  },

  promoting(_state, { event, plan, nowMs }) {
    if (event.kind !== 'in_force') return undefined;
    return {
      state: { kind: 'succeeded', sinceMs: nowMs },
      cause: causeOf('in_force', `all units get ${plan.variant}`),
    };
  },

  rolling_back({ to, cause }, { event, nowMs }) {
    return event.kind === 'in_force' ? { state: { kind: to, sinceMs: nowMs, cause }, cause } : undefined;
  },

  succeeded: stay,
  rolled_back: stay,
  aborted: stay,
};
