import { parseRedisUrl } from '../../experiments/stores/redis-connection.ts';

/** Where answers are kept of models whose configuration asks for it. */
export type CacheConfig =
  | { readonly kind: 'memory'; readonly maxBytes: number; readonly ttlMs: number }
  | { readonly kind: 'redis'; readonly url: string; readonly ttlMs: number };

/** @returns what is wrong with the address; undefined where nothing is */
export function redisFault(url: string): string | undefined {
  try {
    parseRedisUrl(url);
    return undefined;
  } catch (error) {
    // What stands there may be a password, so it is not repeated.
    return `${error instanceof Error ? error.message : String(error)}; expected redis://host:6379/0`;
  }
}
