import { serverInfo } from './redis-info.ts';
import type { RedisConnection } from './redis-scripts.ts';

/** Whether every server writes what it is told to its append-only file; those that don't say are taken at their best. */
export async function keepsAppendOnlyFile(redis: RedisConnection): Promise<boolean> {
  const servers = await serverInfo(redis, 'persistence');
  return servers.every((field) => field('aof_enabled') !== '0');
}
