import { serverInfo } from './redis-info.ts';
import type { RedisConnection } from './redis-scripts.ts';

/**
 * How a server makes room by taking away what is kept: the policy of the first that may. It is the whole server's, of all databases together.
 *
 * @returns `maxmemory-policy`; undefined where memory has no bound, where a full server refuses writes (`noeviction`), or where it doesn't say
 */
export async function evictionPolicy(redis: RedisConnection): Promise<string | undefined> {
  const servers = await serverInfo(redis, 'memory');
  return servers
    .filter((field) => Number(field('maxmemory') ?? 0) > 0)
    .map((field) => field('maxmemory_policy'))
    .find((policy) => policy !== undefined && policy !== 'noeviction');
}
