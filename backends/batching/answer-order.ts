import type { Pending } from './pending.ts';

/**
 * Has answers leave in the order their requests came, level by level (`preserve_ordering`): one that is ready before
 * those that came earlier waits for them. A request that was given up, or is late under the policy `DELAY`, is not waited
 * for.
 */
export class AnswerOrder {
  readonly #levels: Set<Pending>[];
  readonly #ready = new Map<Pending, () => void>();

  /** @param lastLevel levels are numbered from 0 to this */
  constructor(lastLevel: number) {
    this.#levels = Array.from({ length: lastLevel + 1 }, () => new Set());
  }

  /** Notes a request as it comes. */
  enter(pending: Pending): void {
    this.#levels[pending.level]?.add(pending);
  }

  /** Calls `deliver` when the answers of all that came before have been delivered: at once, where they have. */
  deliver(pending: Pending, deliver: () => void): void {
    if (this.#levels[pending.level]?.has(pending) !== true) {
      deliver();
      return;
    }
    this.#ready.set(pending, deliver);
    this.#flush(pending.level);
  }

  /** Nobody waits for this one any more; where its answer was ready, it is delivered now. */
  leave(pending: Pending): void {
    if (this.#levels[pending.level]?.delete(pending) !== true) return;
    const deliver = this.#ready.get(pending);
    this.#ready.delete(pending);
    deliver?.();
    this.#flush(pending.level);
  }

  #flush(level: number): void {
    for (const pending of this.#levels[level] ?? []) {
      const deliver = this.#ready.get(pending);
      if (deliver === undefined) return;
      this.#levels[level]?.delete(pending);
      this.#ready.delete(pending);
      deliver();
    }
  }
}
