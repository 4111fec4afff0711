import { take } from './gcra.ts';
import type { RateVerdict } from './gcra.ts';
import type { Rate } from './rate.ts';

/** Callers that are remembered at once; only callers above their rate's rest need memory at all. */
const MAX_BUCKETS = 100_000;

/** Holds every caller to one rate, in this process's memory. */
export class RateLimiter {
  readonly rate: Rate;
  readonly #now: () => number;
  readonly #maxBuckets: number;
  /** When each caller's bucket will be empty; one that is empty is as good as absent. */
  readonly #buckets = new Map<string, number>();

  constructor(rate: Rate, now: () => number = () => performance.now(), maxBuckets = MAX_BUCKETS) {
    this.rate = rate;
    this.#now = now;
    this.#maxBuckets = maxBuckets;
  }

  /** Callers that are remembered. */
  get size(): number {
    return this.#buckets.size;
  }

  /**
   * @param caller whose bucket it is
   * @param cost requests that this one counts for
   */
  take(caller: string, cost = 1): RateVerdict {
    const nowMs = this.#now();
    const before = this.#buckets.get(caller);
    const { verdict, emptyAtMs } = take(this.rate, before, nowMs, cost);
    if (before === undefined && this.#buckets.size >= this.#maxBuckets) this.#forget(nowMs);
    this.#buckets.set(caller, emptyAtMs);
    return verdict;
  }

  /** Forgets the callers whose buckets are empty; where all are in use, those that came first. */
  #forget(nowMs: number): void {
    for (const [caller, emptyAtMs] of this.#buckets) {
      if (emptyAtMs <= nowMs) this.#buckets.delete(caller);
    }
    const excess = this.#buckets.size - Math.floor(this.#maxBuckets * 0.9);
    let dropped = 0;
    for (const caller of this.#buckets.keys()) {
      if (dropped >= excess) break;
      this.#buckets.delete(caller);
      dropped += 1;
    }
  }
}
