import type { RolloutPlan } from '../plan.ts';
import type { RolloutState } from '../state.ts';
import type { RolloutEvent, Surroundings, Transition } from './event.ts';
import { makeMove } from './moves.ts';
import { BY_PERSON } from './obey.ts';
import { BY_ITSELF } from './proceed.ts';
import { retreat } from './retreat.ts';

/**
 * What an event makes of a rollout. Pure: the same state, event and surroundings give the same answer on every replica.
 *
 * What rolls back is judged before anything else, so no gate is passed in the same breath; a variant that isn't ready has its share taken
 * away and never gets one; a rollout that is over is moved on by a person only.
 *
 * @returns undefined where the event changes nothing
 */
export function advance(
  plan: RolloutPlan,
  state: RolloutState,
  event: RolloutEvent,
  surroundings: Surroundings,
): Transition | undefined {
  const back = retreat(plan, state, event, surroundings);
  if (back !== undefined) return back;
  return event.kind === 'command'
    ? makeMove(BY_PERSON[event.command], state, { ...surroundings, plan, event })
    : makeMove(BY_ITSELF, state, { ...surroundings, plan, event });
}
