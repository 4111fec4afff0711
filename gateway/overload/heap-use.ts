import { getHeapStatistics } from 'node:v8';

/** Asking the engine takes some microseconds. */
const ASK_EVERY_MS = 250;

/** The share of the JavaScript heap that is in use, 0 to 1. */
export class HeapUse {
  #share = 0;
  #askedAtMs = -Infinity;

  get share(): number {
    const nowMs = performance.now();
    if (nowMs - this.#askedAtMs > ASK_EVERY_MS) {
      const { used_heap_size: used, heap_size_limit: limit } = getHeapStatistics();
      this.#share = used / limit;
      this.#askedAtMs = nowMs;
    }
    return this.#share;
  }
}
