import { describe, expect, test } from 'vitest';
import { findRedis, startRedis } from '../../servers/redis-server.ts';
import { eventually, experimentFile, metricValue } from '../running-gateway.ts';
import { CHECKED_ONCE, infer, startUpstreamGateway } from './upstream-gateway.ts';
import { startVariantServer } from './variant-server.ts';

const found = await findRedis();
const program = found.kind === 'found' ? found.program : '';

describe.skipIf(found.kind === 'missing')('an edit of an experiment', () => {
  test("leaves its variant's server in force from the first call on, though the state store does not answer", async () => {
    await using redis = await startRedis(program);
    await using server = await startVariantServer();
    await using gateway = await startUpstreamGateway(server.url, {
      config: `state: ${redis.url}\nsecret: a secret of a test, long enough\n`,
    });
    await eventually(async () => (await infer(gateway)).reason === 'split');
    await redis.kill();
    // Of the server it says what it said before, or it would be another one, whose first check is awaited.
    const variants = [
      { name: 'v1', version: 1, weight: 0 },
      { name: 'v3', weight: 2, upstream: { url: server.url, health: CHECKED_ONCE } },
    ];
    await gateway.folder.write({ 'experiments/digits.yaml': experimentFile({ variants }) });
    const reloads = async (): Promise<number> =>
      metricValue(await gateway.metrics(), 'signalbox_config_reloads_total', { result: 'success' });
    while ((await reloads()) === 0) {
      const { status, reason } = await infer(gateway);
      expect([status, reason]).toEqual([200, 'split']);
    }
    expect((await infer(gateway)).reason).toBe('split');
  });
});
