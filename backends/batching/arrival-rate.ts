/** Rows a millisecond that have lately come, as a mean that forgets exponentially. */
export class ArrivalRate {
  readonly #memoryMs: number;
  #rows = 0;
  #seenAtMs = -Infinity;

  /** @param memoryMs after so long, what came counts for a third of what comes now */
  constructor(memoryMs: number) {
    this.#memoryMs = memoryMs;
  }

  note(rows: number, nowMs: number): void {
    this.#rows = this.#rowsLeft(nowMs) + rows;
    this.#seenAtMs = nowMs;
  }

  rowsPerMs(nowMs: number): number {
    return this.#rowsLeft(nowMs) / this.#memoryMs;
  }

  #rowsLeft(nowMs: number): number {
    return this.#rows * Math.exp((this.#seenAtMs - nowMs) / this.#memoryMs);
  }
}
