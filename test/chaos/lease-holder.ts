import type { Redis } from 'ioredis';
import { eventually } from '../gateway/running-gateway.ts';
import type { Replica } from './replica.ts';

/**
 * Which of the replicas holds a lease of the store. It waits for one: who has just ended may hold it for a while yet, and on a busy machine it lapses now and
 * then.
 *
 * @returns its place among them
 */
export async function leaseHolder(
  client: Redis,
  lease: 'rollouts' | 'webhooks',
  replicas: readonly Replica[],
): Promise<number> {
  let index = -1;
  await eventually(async () => {
    const [holder, expires] = await client.hmget(`signalbox:{state}:lease:${lease}`, 'holder', 'expires');
    const [seconds] = await client.time();
    if (Number(expires) <= Number(seconds) * 1000) return false;
    index = replicas.findIndex(({ pid }) => pid === Number(holder?.split(':')[1]));
    return index >= 0;
  });
  return index;
}
