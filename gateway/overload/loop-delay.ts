/** Time between two samples. */
const SAMPLE_EVERY_MS = 50;

/** What the newest sample weighs: one long turn of the loop is no overload, several are. */
const WEIGHT = 0.25;

/** How late the event loop runs what is due, smoothed: it is what every caller waits before the gateway so much as looks at them. */
export class LoopDelay {
  #ms = 0;
  #dueMs = 0;
  #timer: NodeJS.Timeout | undefined;

  /** Milliseconds. */
  get ms(): number {
    return this.#ms;
  }

  start(): void {
    this.#dueMs = performance.now() + SAMPLE_EVERY_MS;
    this.#timer = setTimeout(() => {
      this.#sample();
      this.start();
    }, SAMPLE_EVERY_MS);
    this.#timer.unref();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #sample(): void {
    // A timer of whole milliseconds may be one late by rounding.
    const lateMs = Math.max(0, performance.now() - this.#dueMs - 1);
    this.#ms += WEIGHT * (lateMs - this.#ms);
  }
}
