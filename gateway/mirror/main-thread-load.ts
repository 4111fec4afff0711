import { performance } from 'node:perf_hooks';

/** How long a stretch is that the load is taken over, at the least. */
const STRETCH_MS = 100;

/** The share of the time above which the thread has none to spare. */
const BUSY_FROM = 0.8;

/** How busy the main thread is, with its event loop's own account of it: what it waits for is not its work. */
export class MainThreadLoad {
  #start = performance.eventLoopUtilization();
  #startMs = performance.now();
  #isBusy = false;

  /** Whether it was busy over the last stretch. */
  get isBusy(): boolean {
    const nowMs = performance.now();
    if (nowMs - this.#startMs >= STRETCH_MS) {
      const now = performance.eventLoopUtilization();
      this.#isBusy = performance.eventLoopUtilization(now, this.#start).utilization > BUSY_FROM;
      this.#start = now;
      this.#startMs = nowMs;
    }
    return this.#isBusy;
  }
}
