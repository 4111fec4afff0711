/** Who stops waiting sooner than this says nothing of a server that hasn't answered anybody yet. */
const SHORTEST_MS = 100;

/** What one answer counts for in the mean of them all. */
const SHARE = 0.1;

/**
 * Tells callers whose server keeps them waiting from callers who don't wait: a deadline that passes without an answer is held against the
 * server only where it was given at least as long as its answers take.
 */
export class Patience {
  #usualMs: number | undefined;

  /** @param ms that an answer took */
  answered(ms: number): void {
    this.#usualMs = this.#usualMs === undefined ? ms : this.#usualMs + SHARE * (ms - this.#usualMs);
  }

  /** @param waitedMs that a request waited in vain */
  isEnough(waitedMs: number): boolean {
    return waitedMs >= Math.max(SHORTEST_MS, this.#usualMs ?? 0);
  }
}
