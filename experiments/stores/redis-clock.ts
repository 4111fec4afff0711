import type { RedisConnection } from './redis-scripts.ts';

const MEASURE_EVERY_MS = 10_000;

/** A busy start makes for a bad measurement; until there is a good one, it is repeated soon. */
const GOOD_ERROR_MS = 5;
const REPEAT_AFTER_MS = 500;

/** How far two clocks may drift apart, of the time that passes: more than machines' clocks do. */
const DRIFT = 1e-4;

/**
 * The server's clock, as this process knows it: replicas whose own clocks differ agree on it. Between two measurements it goes on by the
 * process' monotonic clock, which nobody sets.
 */
export class RedisClock {
  readonly #redis: RedisConnection;
  /** What the server's clock is ahead of the monotonic one; undefined before it was measured. */
  #aheadMs: number | undefined;
  /** How far off that may be, when it was measured. */
  #errorMs = Infinity;
  #measuredMs = 0;
  #timer: NodeJS.Timeout | undefined;
  #isStopped = false;

  /** Measures at once whenever the connection is there, so that whoever has read something over it since has the server's time. */
  constructor(redis: RedisConnection) {
    this.#redis = redis;
    redis.on('ready', () => {
      // It may be another server than before, or its clock may have been set.
      this.#errorMs = Infinity;
      void this.#measure();
    });
  }

  /** Milliseconds since 1970; the process' own time as long as the server was never reached. */
  nowMs(): number {
    return this.#aheadMs === undefined ? Date.now() : Math.round(performance.now() + this.#aheadMs);
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }

  async #measure(): Promise<void> {
    const askedMs = performance.now();
    try {
      const [seconds, microseconds] = await this.#redis.time();
      this.#take(Number(seconds) * 1000 + Number(microseconds) / 1000, askedMs, performance.now());
    } catch {
      // The server is away: what was measured goes on, and is measured again when the connection is back.
    }
    if (this.#isStopped) return;
    clearTimeout(this.#timer);
    const afterMs = this.#errorMs > GOOD_ERROR_MS ? REPEAT_AFTER_MS : MEASURE_EVERY_MS;
    this.#timer = setTimeout(() => void this.#measure(), afterMs).unref();
  }

  /** It was that late there at some moment between question and answer. Where that took long, what was known may be better. */
  #take(serverMs: number, askedMs: number, answeredMs: number): void {
    const errorMs = (answeredMs - askedMs) / 2;
    const knownMs = this.#errorMs + DRIFT * (answeredMs - this.#measuredMs);
    if (errorMs > knownMs) return;
    this.#aheadMs = serverMs - (askedMs + answeredMs) / 2;
    this.#errorMs = errorMs;
    this.#measuredMs = answeredMs;
  }
}
