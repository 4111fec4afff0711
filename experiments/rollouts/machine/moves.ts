import type { RolloutPlan } from '../plan.ts';
import type { RolloutState, RolloutStateKind } from '../state.ts';
import type { Surroundings, Transition } from './event.ts';

/** What a move is made with, beside the state. */
export interface Turn<Event> extends Surroundings {
  readonly plan: RolloutPlan;
  readonly event: Event;
}

type StateOf<Kind extends RolloutStateKind> = Extract<RolloutState, { readonly kind: Kind }>;

/** The states that stand at a step. */
export type StateAtStep = StateOf<'progressing' | 'paused' | 'waiting_for_approval'>;

/** What one state does, or undefined where it stays as it is. */
export type Move<Kind extends RolloutStateKind, Event> = (
  state: StateOf<Kind>,
  turn: Turn<Event>,
) => Transition | undefined;

/** A row of the table of transitions: what each state does at one kind of event. */
export type Moves<Event> = { readonly [Kind in RolloutStateKind]: Move<Kind, Event> };

/** It stays as it is. */
export function stay(): undefined {
  return undefined;
}

/** Looks the state's move up, and makes it. */
export function makeMove<Event>(
  moves: Moves<Event>,
  state: RolloutState,
  turn: Turn<Event>,
): Transition | undefined {
  switch (state.kind) {
    case 'pending':
      return moves.pending(state, turn);
    case 'progressing':
      return moves.progressing(state, turn);
    case 'paused':
      return moves.paused(state, turn);
    case 'waiting_for_approval':
      return moves.waiting_for_approval(state, turn);
    case 'promoting':
      return moves.promoting(state, turn);
    case 'succeeded':
      return moves.succeeded(state, turn);
    case 'rolling_back':
      return moves.rolling_back(state, turn);
    case 'rolled_back':
      return moves.rolled_back(state, turn);
    case 'aborted':
      return moves.aborted(state, turn);
  }
}
