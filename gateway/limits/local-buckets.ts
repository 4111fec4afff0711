import { tightest } from './bucket.ts';
import type { Bucket, Standing } from './bucket.ts';
import { take } from './gcra.ts';

/** Buckets that are remembered at once; only callers above their limits' rest need memory at all. */
const MAX_BUCKETS = 100_000;

const DAY_MS = 86_400_000;

/** Clocks that a test sets. */
export interface Clocks {
  /** Milliseconds that never go back. */
  readonly nowMs: () => number;
  /** Milliseconds since 1970, which say what day it is. */
  readonly epochMs: () => number;
}

interface DayCount {
  readonly day: number;
  readonly used: number;
}

/** Holds callers to their limits, in this process's memory. */
export class LocalBuckets {
  readonly #clocks: Clocks;
  readonly #maxBuckets: number;
  /** When each rate's bucket will be empty; one that is empty is as good as absent. */
  readonly #rates = new Map<string, number>();
  readonly #days = new Map<string, DayCount>();

  constructor(
    clocks: Clocks = { nowMs: () => performance.now(), epochMs: Date.now },
    maxBuckets = MAX_BUCKETS,
  ) {
    this.#clocks = clocks;
    this.#maxBuckets = maxBuckets;
  }

  /** Buckets that are remembered. */
  get size(): number {
    return this.#rates.size + this.#days.size;
  }

  /**
   * Takes from all buckets, or, where one of them refuses, from none.
   *
   * @param cost what the request counts for, >= 0
   * @returns undefined where there is no bucket
   */
  take(buckets: readonly Bucket[], cost: number): Standing | undefined {
    return this.#ask(buckets, cost, true);
  }

  /** What {@link take} would say, and takes nothing. */
  look(buckets: readonly Bucket[], cost: number): Standing | undefined {
    return this.#ask(buckets, cost, false);
  }

  #ask(buckets: readonly Bucket[], cost: number, isTaking: boolean): Standing | undefined {
    const nowMs = this.#clocks.nowMs();
    const [only] = buckets;
    if (buckets.length === 1 && only?.period === 'rate') return this.#askRate(only, cost, nowMs, isTaking);
    const epochMs = buckets.some(({ period }) => period === 'day') ? this.#clocks.epochMs() : 0;
    const look = (bucket: Bucket, commits: boolean): Standing =>
      bucket.period === 'rate'
        ? this.#askRate(bucket, cost, nowMs, commits)
        : this.#askDay(bucket, cost, epochMs, commits);
    const looked = buckets.map((bucket) => look(bucket, false));
    if (!isTaking || looked.some(({ allowed }) => !allowed)) return tightest(looked);
    return tightest(buckets.map((bucket) => look(bucket, true)));
  }

  #askRate(
    bucket: Extract<Bucket, { period: 'rate' }>,
    cost: number,
    nowMs: number,
    commits: boolean,
  ): Standing {
    const before = this.#rates.get(bucket.name);
    const { verdict, emptyAtMs } = take(bucket.rate, before, nowMs, cost);
    if (commits && verdict.allowed) {
      if (before === undefined && this.#rates.size >= this.#maxBuckets) this.#forgetRates(nowMs);
      this.#rates.set(bucket.name, emptyAtMs);
    }
    return { bucket, ...verdict };
  }

  #askDay(
    bucket: Extract<Bucket, { period: 'day' }>,
    cost: number,
    epochMs: number,
    commits: boolean,
  ): Standing {
    const found = this.#days.get(bucket.name);
    // A clock that is put back doesn't give a day's quota twice.
    const day = Math.max(Math.floor(epochMs / DAY_MS), found?.day ?? 0);
    const used = found?.day === day ? found.used : 0;
    const allowed = used + cost <= bucket.limit;
    if (commits && allowed) {
      if (found === undefined && this.#days.size >= this.#maxBuckets) this.#forgetDays(day);
      this.#days.set(bucket.name, { day, used: used + cost });
    }
    const resetMs = (day + 1) * DAY_MS - epochMs;
    return {
      bucket,
      allowed,
      remaining: Math.max(0, Math.floor(bucket.limit - used - (allowed ? cost : 0))),
      resetMs,
      retryAfterMs: allowed ? 0 : cost > bucket.limit ? Infinity : resetMs,
    };
  }

  /** Forgets the buckets that are empty; where all are in use, those that came first. */
  #forgetRates(nowMs: number): void {
    for (const [name, emptyAtMs] of this.#rates) if (emptyAtMs <= nowMs) this.#rates.delete(name);
    dropFirst(this.#rates, this.#rates.size - Math.floor(this.#maxBuckets * 0.9));
  }

  #forgetDays(today: number): void {
    for (const [name, { day }] of this.#days) if (day < today) this.#days.delete(name);
    dropFirst(this.#days, this.#days.size - Math.floor(this.#maxBuckets * 0.9));
  }
}

function dropFirst(map: Map<string, unknown>, count: number): void {
  let left = count;
  for (const name of map.keys()) {
    if (left <= 0) return;
    map.delete(name);
    left -= 1;
  }
}
