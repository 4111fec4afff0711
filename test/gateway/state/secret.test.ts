import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { PredictionIds } from '../../../experiments/prediction-id.ts';
import { connectRedis } from '../../../experiments/stores/redis-connection.ts';
import { RedisStore } from '../../../experiments/stores/redis-store.ts';
import { SharedSecret } from '../../../gateway/state/secret.ts';
import { findRedis, startRedis } from '../../servers/redis-server.ts';
import type { RunningRedis } from '../../servers/redis-server.ts';
import { eventually } from '../running-gateway.ts';

const found = await findRedis();

function idOf(ids: PredictionIds): string {
  return ids.issue({
    experiment: 'digits-cnn',
    variant: 'v1',
    phase: 1,
    epoch: 7,
    counts: true,
    unit: undefined,
    version: 1,
    issuedMs: 1_763_812_800_000,
  });
}

const takes = (ids: PredictionIds, id: string): boolean =>
  ids.verify(id, 1_763_812_800_000, Infinity).kind === 'valid';

describe.skipIf(found.kind === 'missing')('the secret in a Redis that was emptied', () => {
  let redis: RunningRedis;
  const stores: RedisStore[] = [];
  const told: string[] = [];
  const log = { error: (_: object, message: string) => void told.push(message) };
  beforeAll(async () => {
    redis = await startRedis(found.kind === 'found' ? found.program : '');
  });
  afterAll(async () => {
    await Promise.all(stores.map((store) => store.close()));
    await redis[Symbol.asyncDispose]();
  });
  const open = async (): Promise<SharedSecret> => {
    const store = new RedisStore(redis.url);
    stores.push(store);
    expect(await store.ready(10_000)).toBe(true);
    return SharedSecret.open(store, log);
  };
  const empty = async (): Promise<void> => {
    const client = connectRedis(redis.url);
    await eventually(() => client.status === 'ready');
    await client.flushall();
    client.disconnect();
  };

  test('is brought back by whoever knows it, so that who starts later has the same', async () => {
    const first = await open();
    first.start();
    await empty();
    await eventually(() => told.length > 0);
    expect(told).toEqual([expect.stringContaining('had lost the secret')]);
    const later = await open();
    expect(takes(later.ids, idOf(first.ids))).toBe(true);
    expect(takes(first.ids, idOf(later.ids))).toBe(true);
    await first.stop();
  });

  test('is kept beside one that was made before it was back: all sign alike, and accept both', async () => {
    await empty();
    const first = await open();
    const second = await open();
    const before = idOf(first.ids);
    await empty();
    const later = await open();
    const between = idOf(later.ids);
    expect(takes(first.ids, between)).toBe(false);
    told.length = 0;
    for (const one of [first, second, later]) await one.look();
    expect(told).toEqual([expect.stringContaining('all accept both')]);
    for (const { ids } of [first, second, later]) {
      expect([takes(ids, before), takes(ids, between)]).toEqual([true, true]);
    }
    const fresh = await open();
    expect([takes(fresh.ids, before), takes(fresh.ids, between)]).toEqual([true, true]);
  });
});
