import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { openStore } from '../../../experiments/stores/open-store.ts';
import { RedisStore } from '../../../experiments/stores/redis-store.ts';
import { StoreUnavailable } from '../../../experiments/stores/state-store.ts';
import { findRedis, startRedis } from '../../servers/redis-server.ts';
import type { RunningRedis } from '../../servers/redis-server.ts';
import { stateStoreContract } from './contract.ts';
import { START_MS, batch, exposure, newExperiment, outcome } from './samples.ts';
import { eventuallyHolds } from '../../eventually-holds.ts';

const found = await findRedis();
const program = found.kind === 'found' ? found.program : '';

describe.skipIf(found.kind === 'missing')(
  `the store in Redis${found.kind === 'missing' ? `: ${found.reason}` : ''}`,
  () => {
    let redis: RunningRedis;
    beforeAll(async () => {
      redis = await startRedis(program);
    });
    afterAll(() => redis[Symbol.asyncDispose]());

    const open = async (): Promise<RedisStore> => {
      const store = new RedisStore(redis.url);
      expect(await store.ready(10_000)).toBe(true);
      return store;
    };
    stateStoreContract(open);

    test('two replicas count the same units and outcomes once, and see each other’s documents', async () => {
      const [a, b] = await Promise.all([open(), open()]);
      const name = newExperiment();
      await Promise.all([a, b].map((store) => store.recordExposures(batch(name, exposure(name)))));
      const statuses = await Promise.all([a, b].map((store) => store.recordOutcomes([outcome(name)])));
      expect(statuses.flat().sort()).toEqual(['accepted', 'duplicate']);
      const [ofA, ofB] = await Promise.all([a, b].map((store) => store.tallies(name, 1, [], START_MS)));
      expect(ofA).toEqual(ofB);
      expect(ofA?.epochs[0]?.variants.v1?.units).toBe(1);
      const onChange = vi.fn();
      b.watchDocument(name, onChange);
      await eventuallyHolds(() => {
        expect(onChange).toHaveBeenCalled();
      });
      const before = onChange.mock.calls.length;
      await a.writeDocument(name, { weights: 1 }, 0);
      await eventuallyHolds(() => {
        expect(onChange.mock.calls.length).toBeGreaterThan(before);
      });
      expect((await b.readDocument(name))?.value).toEqual({ weights: 1 });
      await Promise.all([a.close(), b.close()]);
    });

    test('the time is the server’s, whatever the process’ own clock says', async () => {
      const client = new Redis(redis.url);
      const wrong = vi.spyOn(Date, 'now').mockReturnValue(0);
      const store = await open();
      await store.readDocument('x');
      const [before] = await client.time();
      const nowMs = store.nowMs();
      const [after] = await client.time();
      wrong.mockRestore();
      expect(nowMs).toBeGreaterThanOrEqual(Number(before) * 1000 - 1000);
      expect(nowMs).toBeLessThanOrEqual(Number(after) * 1000 + 2000);
      await store.close();
      client.disconnect();
    });

    test('a server that is gone is told at once, and used again when it is back with what it had', async () => {
      await using own = await startRedis(program);
      const store = new RedisStore(own.url);
      await store.ready(10_000);
      const name = newExperiment();
      await store.recordOutcomes([outcome(name)]);
      await own.kill();
      await eventuallyHolds(() => expect(store.readDocument('x')).rejects.toThrow(StoreUnavailable));
      const startMs = performance.now();
      await expect(store.recordOutcomes([outcome(name)])).rejects.toThrow(StoreUnavailable);
      expect(performance.now() - startMs).toBeLessThan(5000);
      await own.start();
      await eventuallyHolds(async () => {
        expect(await store.recordOutcomes([outcome(name)])).toEqual(['duplicate']);
      });
      await store.close();
    });

    test('a server that hangs is given up after two seconds', async () => {
      await using own = await startRedis(program);
      const store = new RedisStore(own.url);
      await store.ready(10_000);
      own.freeze();
      await expect(store.readDocument('x')).rejects.toThrow(StoreUnavailable);
      own.thaw();
      await eventuallyHolds(async () => {
        expect(await store.readDocument('x')).toBeUndefined();
      });
      await store.close();
    });

    test('what a newer release wrote is refused, at the start and after it came meanwhile', async () => {
      await using own = await startRedis(program);
      const store = new RedisStore(own.url);
      expect(await store.ready(10_000)).toBe(true);
      await store.writeDocument('x', 1, 0);
      const client = new Redis(own.url);
      expect(await client.get('signalbox:{state}:format')).toBe('1');
      await client.set('signalbox:{state}:format', 2);
      await expect(openStore({ kind: 'redis', url: own.url })).rejects.toThrow(
        'the state in Redis was written by a newer release (its format is 2, this one knows 1); run that release',
      );
      // The state of another release comes while the store is open, as by a restore.
      await client.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
      await eventuallyHolds(() =>
        expect(store.readDocument('x')).rejects.toThrow('written by a newer release'),
      );
      await client.set('signalbox:{state}:format', 1);
      await client.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
      await eventuallyHolds(async () => {
        expect(await store.readDocument('x')).toEqual({ version: 1, value: 1 });
      });
      client.disconnect();
      await store.close();
    });

    test('nothing listens: the store says so, and does not wait', async () => {
      await using own = await startRedis(program);
      await own.kill();
      const store = new RedisStore(own.url);
      expect(await store.ready(50)).toBe(false);
      await expect(store.readDocument('x')).rejects.toThrow(StoreUnavailable);
      await store.close();
    });
  },
);
