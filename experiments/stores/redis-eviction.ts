import { Cluster } from 'ioredis';
import type { RedisConnection } from './redis-scripts.ts';

/**
 * How a server makes room by taking away what is kept: the policy of the first that may. It is the whole server's, of all databases together.
 *
 * @returns `maxmemory-policy`; undefined where memory has no bound, where a full server refuses writes (`noeviction`), or where it doesn't say
 */
export async function evictionPolicy(redis: RedisConnection): Promise<string | undefined> {
  const servers = redis instanceof Cluster ? redis.nodes('master') : [redis];
  const policies = await Promise.all(
    servers.map(async (server) => {
      const info = await server.info('memory').catch(() => '');
      const of = (name: string): string | undefined => new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1];
      const policy = of('maxmemory_policy');
      return Number(of('maxmemory') ?? 0) > 0 && policy !== 'noeviction' ? policy : undefined;
    }),
  );
  return policies.find((policy) => policy !== undefined);
}
