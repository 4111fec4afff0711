import type { AnswerStore } from '../../backends/cache/answer-store.ts';
import { readAnswer, writeAnswer } from '../../backends/cache/kept-answer.ts';
import type { KeptAnswer } from '../../backends/cache/kept-answer.ts';
import { connectRedis } from '../../experiments/stores/redis-connection.ts';

/** The longest that a lookup waits for Redis. */
const TIMEOUT_MS = 50;

/** After a failure nobody asks for so long: a server that is slow would cost each request its timeout. */
const PAUSE_MS = 1000;

/** A larger answer is not sent: it would hold the connection that all lookups share. */
const LARGEST_BYTES = 8 * 1024 ** 2;

const PREFIX = 'signalbox:cache:';

/** Answers in Redis, which all replicas share; Redis itself bounds them by its `maxmemory`. */
export class RedisAnswers implements AnswerStore {
  readonly #redis: ReturnType<typeof connectRedis>;
  readonly #ttlMs: number;
  #pausedUntilMs = 0;

  /** @param url as `state` takes it */
  constructor(url: string, ttlMs: number) {
    this.#redis = connectRedis(url, { commandTimeoutMs: TIMEOUT_MS });
    this.#ttlMs = ttlMs;
  }

  async get(key: string): Promise<KeptAnswer | undefined> {
    if (performance.now() < this.#pausedUntilMs) throw new Error('Redis was away a moment ago');
    try {
      const bytes = await this.#redis.getBuffer(PREFIX + key);
      return bytes === null ? undefined : readAnswer(bytes);
    } catch (error) {
      this.#pausedUntilMs = performance.now() + PAUSE_MS;
      throw error;
    }
  }

  set(key: string, answer: KeptAnswer): void {
    if (answer.bytes > LARGEST_BYTES) return;
    this.#redis.set(PREFIX + key, writeAnswer(answer), 'PX', this.#ttlMs).catch(() => {
      this.#pausedUntilMs = performance.now() + PAUSE_MS;
    });
  }

  close(): void {
    this.#redis.disconnect();
  }
}
