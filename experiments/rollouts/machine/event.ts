import type { Judgement } from '../judgement.ts';
import type { FaultKind } from '../plan.ts';
import type { Cause, RolloutState } from '../state.ts';

/** What happens to a rollout. */
export type RolloutEvent = OwnEvent | PersonsEvent;

/** What happens by itself. */
export type OwnEvent =
  /** Time passed. */
  | { readonly kind: 'clock' }
  /** What the last state left in force is in force. */
  | { readonly kind: 'in_force' }
  | { readonly kind: 'analysed'; readonly judgement: Judgement }
  /** The variant met as many faults of a kind as a hard floor allows. */
  | { readonly kind: 'hard_floor'; readonly fault: FaultKind; readonly count: number };

/** What a person says. */
export interface PersonsEvent {
  readonly kind: 'command';
  readonly command: Command;
  readonly by: string;
  readonly reason: string;
}

/** `promote` goes on to the next step, `promote_full` to the end. */
export type Command = 'promote' | 'promote_full' | 'pause' | 'resume' | 'rollback';

/** What an event is judged with. */
export interface Surroundings {
  /** Milliseconds since 1970. */
  readonly nowMs: number;
  /** Whether the variant's version can answer. */
  readonly isReady: boolean;
  /** Why the variant can't answer what the control answers, after its name, as `takes x FP32 [-1, 4], and not y FP32 [-1, 4]`; left out: it may. */
  readonly misfit?: string | undefined;
}

/** A step from one state to the next; it is stored before it takes effect. */
export interface Transition {
  readonly state: RolloutState;
  readonly cause: Cause;
}
