import { describe, expect, test } from 'vitest';
import { MemoryStore } from '../../../experiments/stores/memory/memory-store.ts';
import { RedisStore } from '../../../experiments/stores/redis-store.ts';
import { KeyDesk } from '../../../gateway/trust/key-desk.ts';
import type { Grant } from '../../../gateway/trust/key-store.ts';
import { StoredKeys } from '../../../gateway/trust/stored-keys.ts';
import { findRedis, startRedis } from '../../servers/redis-server.ts';

const grant: Grant = {
  name: 'Ada',
  scopes: ['infer'],
  models: ['digits'],
  rate: '5/s',
  concurrency: 3,
  daily: 1000,
  priority: 'high',
  expires: undefined,
};

describe('keys in the state store', () => {
  test('are made and opened with at once, and by others after a look', async () => {
    const store = new MemoryStore();
    const [mine, other] = [await StoredKeys.open(store), await StoredKeys.open(store)];
    const made = await new KeyDesk(mine).create(grant);
    expect(mine.ring.check(made.key, 0)).toMatchObject({
      kind: 'known',
      key: { name: 'Ada', limits: { concurrency: 3, daily: 1000 }, priority: 'high' },
    });
    expect(other.ring.check(made.key, 0).kind).toBe('unknown');
    expect(await other.refresh()).toEqual({ kind: 'changed', count: 1 });
    expect(other.ring.check(made.key, 0).kind).toBe('known');
    expect(await other.refresh()).toEqual({ kind: 'same' });
  });

  test('never have what opens them, nor show its hash', async () => {
    const store = new MemoryStore();
    const desk = new KeyDesk(await StoredKeys.open(store));
    const made = await desk.create(grant);
    expect(JSON.stringify(await store.readDocument('keys'))).not.toContain(made.key.slice(-43));
    expect(desk.list()[0]).toEqual({
      id: made.id,
      ...grant,
      rate: '5/s burst 5',
      expires: null,
      expired: false,
    });
  });

  test('that are rotated open both for a while, with the same rights', async () => {
    const nowMs = Date.UTC(2027, 0, 1);
    const keys = await StoredKeys.open(new MemoryStore());
    const desk = new KeyDesk(keys, () => nowMs);
    const first = await desk.create(grant);
    const second = await desk.rotate(first.id, 60_000);
    expect(second.until).toBe('2027-01-01T00:01:00.000Z');
    expect(keys.ring.check(first.key, nowMs).kind).toBe('known');
    expect(keys.ring.check(first.key, nowMs + 60_000).kind).toBe('expired');
    expect(keys.ring.check(second.key, nowMs + 60_000)).toMatchObject({
      kind: 'known',
      key: { name: 'Ada', models: new Set(['digits']) },
    });
  });

  test('are changed by many at once, and no change is lost', async () => {
    const store = new MemoryStore();
    const desks = await Promise.all(
      Array.from({ length: 5 }, async () => new KeyDesk(await StoredKeys.open(store))),
    );
    const made = await Promise.all(desks.map((desk) => desk.create(grant)));
    const all = await StoredKeys.open(store);
    expect(made.map(({ key }) => all.ring.check(key, 0).kind)).toEqual(Array(5).fill('known'));
  });

  test('that are gone from the store, or are none, leave the last good ones in force, which is told once', async () => {
    const store = new MemoryStore();
    const keys = await StoredKeys.open(store);
    const made = await new KeyDesk(keys).create(grant);
    await store.writeDocument('keys', { keys: [{ id: 'x' }] }, 1);
    expect((await keys.refresh()).kind).toBe('refused');
    expect((await keys.refresh()).kind).toBe('same');
    expect(keys.ring.check(made.key, 0).kind).toBe('known');
  });

  test('say which there are when one is named that is not', async () => {
    const desk = new KeyDesk(await StoredKeys.open(new MemoryStore()));
    const { id } = await desk.create(grant);
    await expect(desk.revoke('abcd')).rejects.toThrow(`the state store has no key abcd; it has ${id}`);
  });
});

const found = await findRedis();

test.skipIf(found.kind === 'missing')(
  'while Redis is away the last good keys stay in force, and a gateway that has none does not start',
  async () => {
    await using redis = await startRedis(found.kind === 'found' ? found.program : '');
    const store = new RedisStore(redis.url);
    expect(await store.ready(10_000)).toBe(true);
    const keys = await StoredKeys.open(store);
    const made = await new KeyDesk(keys).create(grant);
    await redis.kill();
    expect((await keys.refresh()).kind).toBe('refused');
    expect(keys.ring.check(made.key, 0).kind).toBe('known');
    await expect(StoredKeys.open(store)).rejects.toThrow('Redis');
    await store.close();
  },
);
