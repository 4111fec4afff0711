import { connectRedis } from '../../experiments/stores/redis-connection.ts';
import type { RedisConnection } from '../../experiments/stores/redis-scripts.ts';
import { tightest } from './bucket.ts';
import type { Bucket, Standing } from './bucket.ts';
import { NUMBERS_PER_BUCKET, defineTake } from './take-script.ts';

/** What a request waits for Redis at the most: beyond it, limits that are kept here decide. */
const TIMEOUT_MS = 100;

/**
 * After a failure Redis isn't asked for that long, so that not each request waits for it in vain: shortly at first, since it may
 * have been this process that was busy, and twice as long after each further one.
 */
const COOL_DOWN_FIRST_MS = 50;
const COOL_DOWN_MOST_MS = 1000;

/** One slot of a cluster, so that one script can take from all of a request's buckets. */
const PREFIX = 'signalbox:{limits}:';

/** Limits that all replicas share, in Redis. */
export class SharedBuckets {
  readonly #redis: RedisConnection;
  readonly #nowMs: () => number;
  #awayUntilMs = 0;
  /** Calls in a row that failed. */
  #failures = 0;

  /** @param url as `connectRedis` takes it; the server may be away */
  constructor(url: string, timeoutMs = TIMEOUT_MS, nowMs: () => number = () => performance.now()) {
    this.#redis = connectRedis(url, { commandTimeoutMs: timeoutMs });
    defineTake(this.#redis);
    this.#nowMs = nowMs;
  }

  /** Whether it is worth asking. */
  get isThere(): boolean {
    return this.#redis.status === 'ready' && this.#nowMs() >= this.#awayUntilMs;
  }

  /**
   * Takes from all buckets, or, where one of them refuses, from none.
   *
   * @param buckets at least one
   * @returns undefined where Redis doesn't answer
   */
  async take(buckets: readonly Bucket[], cost: number): Promise<Standing | undefined> {
    const keys = buckets.map(({ period, name }) => `${PREFIX}${period}:${name}`);
    const limits = buckets.flatMap(argumentsOf);
    try {
      const answer = await this.#redis.signalboxTake(keys.length, ...keys, cost, ...limits);
      this.#failures = 0;
      return standingIn(answer, buckets);
    } catch {
      const nowMs = this.#nowMs();
      // Those that were asked together fail together, and count once.
      if (nowMs >= this.#awayUntilMs) {
        this.#awayUntilMs = nowMs + Math.min(COOL_DOWN_MOST_MS, COOL_DOWN_FIRST_MS * 2 ** this.#failures);
        this.#failures += 1;
      }
      return undefined;
    }
  }

  close(): void {
    this.#redis.disconnect();
  }
}

/** Three for each bucket. */
function argumentsOf(bucket: Bucket): readonly (string | number)[] {
  if (bucket.period === 'day') return ['day', bucket.limit, 0];
  const { limit, periodMs, burst } = bucket.rate;
  const spacingUs = (periodMs * 1000) / limit;
  return ['rate', spacingUs, spacingUs * burst];
}

function standingIn(
  [allowed, ...numbers]: readonly number[],
  buckets: readonly Bucket[],
): Standing | undefined {
  return tightest(
    buckets.map((bucket, index) => {
      const at = index * NUMBERS_PER_BUCKET;
      const [remaining = 0, resetUs = 0, waitUs = 0] = numbers.slice(at, at + NUMBERS_PER_BUCKET);
      return {
        bucket,
        allowed: allowed === 1 || waitUs === 0,
        remaining,
        resetMs: resetUs / 1000,
        retryAfterMs: waitUs < 0 ? Infinity : waitUs / 1000,
      };
    }),
  );
}
