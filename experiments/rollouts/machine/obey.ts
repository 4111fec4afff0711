import type { Cause, Hold, Progress } from '../state.ts';
import { arrive, arriveApproved, promoteAll } from './arrive.ts';
import { beginRollout } from './begin.ts';
import type { Command, PersonsEvent, Transition } from './event.ts';
import { stay } from './moves.ts';
import type { Moves, StateAtStep, Turn } from './moves.ts';

type PersonsTurn = Turn<PersonsEvent>;
type PausedState = Extract<StateAtStep, { readonly kind: 'paused' }>;

/** What each state does at what a person says; what is so already stays. */
export const BY_PERSON: Readonly<Record<Command, Moves<PersonsEvent>>> = {
  promote: {
    pending: (_state, turn) => (turn.isReady ? toStart(turn) : undefined),
    progressing: toNextStep,
    paused: toNextStep,
    waiting_for_approval: toNextStep,
    promoting: stay,
    succeeded: stay,
    rolling_back: stay,
    rolled_back: (_state, turn) => toStart(turn),
    aborted: (_state, turn) => toStart(turn),
  },
  promote_full: {
    pending: toEnd,
    progressing: toEnd,
    paused: toEnd,
    waiting_for_approval: toEnd,
    promoting: stay,
    succeeded: stay,
    rolling_back: toEnd,
    rolled_back: toEnd,
    aborted: toEnd,
  },
  pause: {
    pending: stay,
    progressing: ({ at }, turn) => hold(at, { by: 'person' }, turn),
    paused: holdPause,
    waiting_for_approval: ({ at }, turn) => hold(at, { by: 'person', awaited: true }, turn),
    promoting: stay,
    succeeded: stay,
    rolling_back: stay,
    rolled_back: stay,
    aborted: stay,
  },
  resume: {
    pending: stay,
    progressing: stay,
    paused: goOn,
    waiting_for_approval: approve,
    promoting: stay,
    succeeded: stay,
    rolling_back: stay,
    rolled_back: beginAgain,
    aborted: beginAgain,
  },
  rollback: {
    pending: abort,
    progressing: abort,
    paused: abort,
    waiting_for_approval: abort,
    promoting: abort,
    succeeded: abort,
    rolling_back: (state, turn) => (state.to === 'aborted' ? undefined : abort(state, turn)),
    rolled_back: stay,
    aborted: stay,
  },
};

function personsCause({ event: { reason, by } }: PersonsTurn): Cause {
  return { code: 'person', message: reason, by };
}

function toStart(turn: PersonsTurn): Transition | undefined {
  return arrive(0, { ...turn, cause: personsCause(turn) });
}

function toNextStep({ at }: StateAtStep, turn: PersonsTurn): Transition | undefined {
  return arriveApproved(at.step + 1, { ...turn, cause: personsCause(turn) });
}

/** What was waited for is so, and no more: a plan that waits at its end too is asked again there. */
function approve({ at }: StateAtStep, turn: PersonsTurn): Transition | undefined {
  const arrival = { ...turn, cause: personsCause(turn) };
  return at.step >= turn.plan.steps.length ? promoteAll(arrival) : arrive(at.step + 1, arrival);
}

function toEnd(_state: unknown, turn: PersonsTurn): Transition | undefined {
  return promoteAll({ ...turn, cause: personsCause(turn) });
}

function abort(_state: unknown, turn: PersonsTurn): Transition {
  const cause = personsCause(turn);
  return { state: { kind: 'rolling_back', to: 'aborted', sinceMs: turn.nowMs, cause }, cause };
}

function beginAgain(_state: unknown, turn: PersonsTurn): Transition {
  return { state: beginRollout(turn.nowMs), cause: personsCause(turn) };
}

function hold(at: Progress, why: Hold, turn: PersonsTurn): Transition {
  return { state: { kind: 'paused', at, hold: why }, cause: personsCause(turn) };
}

/** What a pause of the plan has left is kept, so that it goes on where it stood. */
function holdPause({ at, hold: before }: PausedState, turn: PersonsTurn): Transition | undefined {
  switch (before.by) {
    case 'person':
      return undefined;
    case 'plan':
      return hold(at, { by: 'person', remainingMs: Math.max(0, before.untilMs - turn.nowMs) }, turn);
    case 'inconclusive':
    case 'health':
      return hold(at, { by: 'person' }, turn);
  }
}

function goOn({ at, hold: before }: PausedState, turn: PersonsTurn): Transition | undefined {
  const cause = personsCause(turn);
  const { nowMs } = turn;
  // The time that it was paused is no time of the step's.
  const fresh: Progress = { ...at, sinceMs: nowMs, inconclusive: 0 };
  switch (before.by) {
    case 'plan':
      return arrive(at.step + 1, { ...turn, cause });
    case 'inconclusive':
    case 'health':
      return { state: { kind: 'progressing', at: fresh }, cause };
    case 'person': {
      if (before.awaited === true) return { state: { kind: 'waiting_for_approval', at: fresh }, cause };
      if (before.remainingMs === undefined) return { state: { kind: 'progressing', at: fresh }, cause };
      const untilMs = nowMs + before.remainingMs;
      return { state: { kind: 'paused', at: fresh, hold: { by: 'plan', untilMs } }, cause };
    }
  }
}
