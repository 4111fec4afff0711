import { connectRedis } from './redis-connection.ts';
import type { RedisConnection } from './redis-scripts.ts';

/** A Redis stream of lines, cut to about a length: the newest stay. */
export class RedisStream {
  readonly #redis: RedisConnection;
  readonly #key: string;
  readonly #maxLength: number;

  /** @param url as `connectRedis` takes it */
  constructor(url: string, key: string, maxLength: number) {
    this.#redis = connectRedis(url);
    this.#key = key;
    this.#maxLength = maxLength;
  }

  /** Adds an entry a line, its one field `json`; throws where the server is away. */
  async append(lines: readonly string[]): Promise<void> {
    const pipeline = this.#redis.pipeline();
    for (const line of lines) pipeline.xadd(this.#key, 'MAXLEN', '~', this.#maxLength, '*', 'json', line);
    for (const [error] of (await pipeline.exec()) ?? []) if (error !== null) throw error;
  }

  close(): void {
    this.#redis.disconnect();
  }
}
