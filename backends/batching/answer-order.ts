import type { Pending } from './pending.ts';

/** A request's turn to be answered. */
interface Turn {
  /** Delivers its answer, once that is there. */
  deliver: (() => void) | undefined;
  /** Whether it has been answered, or nobody waits for it. */
  isOver: boolean;
  next: Turn | undefined;
}

/** Turns in the order in which the requests came; those that are over leave it when all before them have. */
interface Turns {
  first: Turn | undefined;
  last: Turn | undefined;
}

/**
 * Has answers leave in the order their requests came, level by level (`preserve_ordering`): one that is ready before
 * those that came earlier waits for them. A request that was given up, or is late under the policy `DELAY`, is not waited
 * for.
 */
export class AnswerOrder {
  readonly #levels: readonly Turns[];
  readonly #turns = new WeakMap<Pending, Turn>();

  /** @param lastLevel levels are numbered from 0 to this */
  constructor(lastLevel: number) {
    this.#levels = Array.from({ length: lastLevel + 1 }, () => ({ first: undefined, last: undefined }));
  }

  /** Notes a request as it comes. */
  enter(pending: Pending): void {
    const turns = this.#levels[pending.level];
    if (turns === undefined) return;
    const turn: Turn = { deliver: undefined, isOver: false, next: undefined };
    this.#turns.set(pending, turn);
    if (turns.last === undefined) turns.first = turn;
    else turns.last.next = turn;
    turns.last = turn;
  }

  /** Calls `deliver` when the answers of all that came before have been delivered: at once, where they have. */
  deliver(pending: Pending, deliver: () => void): void {
    const turn = this.#turns.get(pending);
    if (turn === undefined || turn.isOver) {
      deliver();
      return;
    }
    turn.deliver = deliver;
    this.#flush(pending.level);
  }

  /** Nobody waits for this one any more; where its answer was ready, it is delivered now. */
  leave(pending: Pending): void {
    const turn = this.#turns.get(pending);
    if (turn === undefined || turn.isOver) return;
    end(turn);
    this.#flush(pending.level);
  }

  #flush(level: number): void {
    const turns = this.#levels[level];
    while (turns?.first !== undefined) {
      const turn = turns.first;
      if (!turn.isOver && turn.deliver === undefined) return;
      turns.first = turn.next;
      if (turn.next === undefined) turns.last = undefined;
      turn.next = undefined;
      end(turn);
    }
  }
}

function end(turn: Turn): void {
  turn.isOver = true;
  const { deliver } = turn;
  turn.deliver = undefined;
  deliver?.();
}
