/** The longest that a timer of Node waits; a longer one would fire at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** One timer for the earliest of many deadlines. Times are `performance.now()` milliseconds. */
export class DeadlineTimer {
  readonly #onDue: () => void;
  #timer: NodeJS.Timeout | undefined;
  #atMs = Infinity;

  /** @param onDue told when the earliest deadline has come; it watches again what is left */
  constructor(onDue: () => void) {
    this.#onDue = onDue;
  }

  /** Whether the earliest deadline has passed: the timer may be late, when the event loop was held. */
  isDue(nowMs: number): boolean {
    return this.#atMs <= nowMs;
  }

  watch(deadlineMs: number): void {
    if (!(deadlineMs < this.#atMs)) return;
    clearTimeout(this.#timer);
    this.#atMs = deadlineMs;
    const waitMs = Math.min(Math.max(1, deadlineMs - performance.now()), LONGEST_TIMER_MS);
    this.#timer = setTimeout(this.#onDue, waitMs);
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#atMs = Infinity;
  }
}
