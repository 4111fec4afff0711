import { afterAll, beforeAll, describe, expect } from 'vitest';
import { RedisStore } from '../../../experiments/stores/redis-store.ts';
import { findServer } from '../../servers/debian-server.ts';
import { findRedis, startRedisCluster } from '../../servers/redis-server.ts';
import type { RunningRedisCluster } from '../../servers/redis-server.ts';
import { stateStoreContract } from './contract.ts';

const server = await findRedis();
const cli = await findServer('redis-cli', 'redis-tools');
const isThere = server.kind === 'found' && cli.kind === 'found';

describe.skipIf(!isThere)('the store in a Redis Cluster of three masters', () => {
  let cluster: RunningRedisCluster;
  beforeAll(async () => {
    if (server.kind === 'found' && cli.kind === 'found')
      cluster = await startRedisCluster(server.program, cli.program);
  });
  afterAll(() => cluster[Symbol.asyncDispose]());

  stateStoreContract(async () => {
    const store = new RedisStore(cluster.url);
    expect(await store.ready(10_000)).toBe(true);
    return store;
  });
});
