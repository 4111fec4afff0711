import { parseRedisUrl } from '../../experiments/stores/redis-address.ts';
import { isTimerMs, millisecondsOf } from './duration.ts';
import type { Refuse } from './refuse.ts';
import type { ConfigText } from './schema.ts';
import { bytesOf } from './size.ts';

/** Where answers are kept of models whose configuration asks for it. */
export type CacheConfig =
  | { readonly kind: 'memory'; readonly maxBytes: number; readonly ttlMs: number }
  | { readonly kind: 'redis'; readonly url: string; readonly ttlMs: number };

export function readCache(
  { memory, redis, ttl = '1h' }: NonNullable<ConfigText['cache']>,
  refuse: Refuse,
): CacheConfig {
  const ttlMs = millisecondsOf(ttl);
  if (!isTimerMs(ttlMs))
    refuse(['cache', 'ttl'], `is ${ttl}; expected whole milliseconds, from 1ms to 24 days (576h)`);
  if (redis === undefined) return { kind: 'memory', maxBytes: bytesOf(memory ?? '64MiB'), ttlMs };
  if (memory !== undefined)
    refuse(['cache', 'memory'], 'is there beside redis; expected one of the two, the place of the answers');
  const fault = redisFault(redis);
  if (fault !== undefined) refuse(['cache', 'redis'], fault);
  return { kind: 'redis', url: redis, ttlMs };
}

/** @returns what is wrong with the address; undefined where nothing is */
function redisFault(url: string): string | undefined {
  try {
    parseRedisUrl(url);
    return undefined;
  } catch (error) {
    // What stands there may be a password, so it is not repeated.
    return `${error instanceof Error ? error.message : String(error)}; expected redis://host:6379/0`;
  }
}
