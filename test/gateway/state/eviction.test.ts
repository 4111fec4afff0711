import { expect, test } from 'vitest';
import { connectRedis } from '../../../experiments/stores/redis-connection.ts';
import { findRedis, startRedis } from '../../servers/redis-server.ts';
import { MEASURED_FILES } from '../faces/predictions.ts';
import { eventually, metricValue, startGateway } from '../running-gateway.ts';

const found = await findRedis();

test.skipIf(found.kind === 'missing')(
  'a gateway whose state may be evicted says so from its start on, until it connects to a Redis that keeps it',
  async () => {
    const bound = ['--maxmemory', '100mb', '--maxmemory-policy', 'allkeys-lru'];
    await using redis = await startRedis(found.kind === 'found' ? found.program : '', bound);
    await using gateway = await startGateway({
      files: MEASURED_FILES,
      config: `state: ${redis.url}\nsecret: a secret of a test, long enough\n`,
    });
    const told = async (): Promise<number> =>
      metricValue(await gateway.metrics(), 'signalbox_state_may_be_evicted');
    await eventually(async () => (await told()) === 1);
    const client = connectRedis(redis.url);
    await eventually(() => client.status === 'ready');
    await client.call('CONFIG', 'SET', 'maxmemory-policy', 'noeviction');
    await client.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    client.disconnect();
    await eventually(async () => (await told()) === 0);
    expect(await told()).toBe(0);
  },
);
