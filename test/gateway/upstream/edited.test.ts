import { describe, expect, test } from 'vitest';
import { findRedis, startRedis } from '../../servers/redis-server.ts';
import { eventually, experimentFile, metricValue, startGateway } from '../running-gateway.ts';
import type { RunningGateway } from '../running-gateway.ts';
import { CHECKED_ONCE, infer, startUpstreamGateway } from './upstream-gateway.ts';
import { startVariantServer } from './variant-server.ts';

const reloadsOf = async (gateway: RunningGateway): Promise<number> =>
  metricValue(await gateway.metrics(), 'signalbox_config_reloads_total', { result: 'success' });

test('a request that was under way over an edit of the control’s server is answered by that server where its own variant fails', async () => {
  await using control = await startVariantServer();
  const failing = Promise.withResolvers<undefined>();
  await using variant = await startVariantServer(({ socket }) => {
    void failing.promise.then(() => socket?.destroy());
  });
  const withRetries = (retries: number): string => {
    const common = { health: CHECKED_ONCE, retries };
    const variants = [
      { name: 'v1', weight: 0, upstream: { url: control.url, ...common } },
      { name: 'v3', weight: 1, upstream: { url: variant.url, ...common } },
    ];
    return experimentFile({ variants });
  };
  await using gateway = await startGateway({
    files: { 'models/README': 'all versions live elsewhere', 'experiments/digits.yaml': withRetries(0) },
  });
  const answered = infer(gateway);
  await eventually(() => variant.arrived.length === 1);
  await gateway.folder.write({ 'experiments/digits.yaml': withRetries(1) });
  await eventually(async () => (await reloadsOf(gateway)) === 1);
  failing.resolve(undefined);
  expect(await answered).toMatchObject({
    status: 200,
    reason: 'fallback',
    variant: 'digits-cnn=v1',
    value: 42,
  });
});

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
    while ((await reloadsOf(gateway)) === 0) {
      const { status, reason } = await infer(gateway);
      expect([status, reason]).toEqual([200, 'split']);
    }
    expect((await infer(gateway)).reason).toBe('split');
  });
});
