import { describe, expect, test } from 'vitest';
import { MemoryStore } from '../../../../experiments/stores/memory/memory-store.ts';
import { StoreUnavailable } from '../../../../experiments/stores/state-store.ts';
import { stateStoreContract } from '../contract.ts';
import { batch, exposure, newExperiment, outcome } from '../samples.ts';

describe('the store in memory', () => {
  stateStoreContract(() => Promise.resolve(new MemoryStore()));

  test('refuses a unit too many, and says what to set instead', async () => {
    const store = new MemoryStore({ units: 1 });
    const name = newExperiment();
    await store.recordExposures(batch(name, exposure(name)));
    const second = batch(name, exposure(name, { unit: 'aaaaaaaa00000002' }));
    await expect(store.recordExposures(second)).rejects.toThrow(StoreUnavailable);
    await expect(store.recordExposures(second)).rejects.toThrow(
      '1 units, as many as it may; set `state: sqlite:',
    );
    await store.recordExposures(batch(name, exposure(name)));
  });

  test('an outcome that was refused for want of room is not a duplicate later', async () => {
    const store = new MemoryStore({ units: 0 });
    const name = newExperiment();
    await expect(store.recordOutcomes([outcome(name)])).rejects.toThrow(StoreUnavailable);
    await expect(store.recordOutcomes([outcome(name)])).rejects.toThrow(StoreUnavailable);
  });

  test('forgets claims that have run out before it refuses one', async () => {
    const store = new MemoryStore({ claims: 1 });
    const name = newExperiment();
    const first = outcome(name);
    await store.recordOutcomes([first]);
    const second = outcome(name, { uid: '0000000000000002' });
    await expect(store.recordOutcomes([second])).rejects.toThrow('outcomes');
    const muchLater = { ...second, receivedMs: first.expiresMs, expiresMs: first.expiresMs + 1 };
    expect(await store.recordOutcomes([muchLater])).toEqual(['accepted']);
  });
});
