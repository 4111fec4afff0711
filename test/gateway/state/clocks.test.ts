import { afterEach, expect, test, vi } from 'vitest';
import { findRedis, startRedis } from '../../servers/redis-server.ts';
import { askAdmin } from '../faces/admin-client.ts';
import { MEASURED_FILES, predict, sendOutcomes } from '../faces/predictions.ts';
import { experimentFile, metricValue, startGateway } from '../running-gateway.ts';

const HOUR_MS = 3_600_000;
const USERS = Array.from({ length: 20 }, (_, number) => `user ${number}`);

/** Longer than the test takes, and shorter than the clock is off. */
const FILES = {
  ...MEASURED_FILES,
  'experiments/digits.yaml': experimentFile({
    variants: [
      { name: 'v1', version: 1, weight: 50 },
      { name: 'v2', version: 2, weight: 50 },
    ],
    metrics: [{ name: 'bought', kind: 'proportion', role: 'goal', window: '1h' }],
  }),
};

const found = await findRedis();
afterEach(() => {
  vi.restoreAllMocks();
});

test.skipIf(found.kind === 'missing')(
  'a replica whose clock is two hours ahead closes no windows of others, loses no outcomes, and tells how far it is off',
  async () => {
    const real = Date.now.bind(Date);
    let aheadMs = 0;
    vi.spyOn(Date, 'now').mockImplementation(() => real() + aheadMs);
    await using redis = await startRedis(found.kind === 'found' ? found.program : '');
    const replica = {
      admin: true,
      config: `state: ${redis.url}\nsecret: a secret of a test, long enough\n`,
      files: FILES,
    } as const;
    await using one = await startGateway(replica);
    await using other = await startGateway(replica);
    const offset = async (): Promise<number> =>
      metricValue(await other.metrics(), 'signalbox_clock_offset_seconds');
    expect(Math.abs(await offset())).toBeLessThan(60);
    const ids = await Promise.all(USERS.map(async (user) => (await predict(one, user)).id));
    await one.server.gateway.state.exposures.flush();

    aheadMs = 2 * HOUR_MS;
    expect(Math.abs((await offset()) - 7200)).toBeLessThan(60);
    expect((await askAdmin(other, '/api/experiments/digits-cnn/results')).status).toBe(200);
    const outcomes = ids.map((prediction_id) => ({ prediction_id, metric: 'bought', value: 1 }));
    expect(await sendOutcomes(other, outcomes)).toEqual({
      status: 202,
      body: { accepted: USERS.length, rejected: [] },
    });
    // Of its own requests too, whose times the others go on with.
    const own = await predict(other, 'one more');
    await other.server.gateway.state.exposures.flush();
    aheadMs = 0;
    await sendOutcomes(one, { prediction_id: own.id, metric: 'bought', value: 1 });

    const bought = [{ name: 'bought', kind: 'proportion', windowMs: HOUR_MS }] as const;
    const sums = async (nowMs: number) => {
      const { store } = one.server.gateway.state;
      const { epochs, untested } = await store.tallies('digits-cnn', 1, bought, nowMs);
      const variants = epochs.flatMap((epoch) => Object.values(epoch.variants));
      return {
        entered: variants.reduce((sum, { metrics }) => sum + (metrics.bought?.units ?? 0), 0),
        didBuy: variants.reduce((sum, { metrics }) => sum + (metrics.bought?.sumX ?? 0), 0),
        late: Object.values(untested).reduce((sum, metrics) => sum + (metrics.bought?.late ?? 0), 0),
      };
    };
    const all = USERS.length + 1;
    const nowMs = one.server.gateway.state.store.nowMs();
    expect(await sums(nowMs)).toEqual({ entered: 0, didBuy: 0, late: 0 });
    expect(await sums(nowMs + HOUR_MS + 60_000)).toEqual({ entered: all, didBuy: all, late: 0 });
  },
);
