import { Cluster } from 'ioredis';
import type { RedisConnection } from './redis-scripts.ts';

/** A field of what a server says of itself; undefined where it doesn't say. */
export type ServerInfo = (field: string) => string | undefined;

/**
 * What the servers that are written to say of themselves; one that doesn't answer says nothing.
 *
 * @param section of Redis' `INFO`
 */
export async function serverInfo(redis: RedisConnection, section: string): Promise<readonly ServerInfo[]> {
  const servers = redis instanceof Cluster ? redis.nodes('master') : [redis];
  return Promise.all(
    servers.map(async (server) => {
      const info = await server.info(section).catch(() => '');
      return (field: string) => new RegExp(`^${field}:(.*?)\\r?$`, 'm').exec(info)?.[1];
    }),
  );
}
