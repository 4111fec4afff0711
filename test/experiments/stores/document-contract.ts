import { describe, expect, test, vi } from 'vitest';
import { LeaseLost } from '../../../experiments/stores/state-store.ts';
import type { Fence, StateStore } from '../../../experiments/stores/state-store.ts';
import { eventuallyHolds } from '../../eventually-holds.ts';
import { newExperiment } from './samples.ts';

/** What every state store does with documents, and the leases that writes of them stand under. */
export function documentContract(store: () => StateStore): void {
  describe('documents', () => {
    test('are read as they were written, with their version', async () => {
      const key = newExperiment();
      expect(await store().readDocument(key)).toBeUndefined();
      expect(await store().writeDocument(key, { weights: { v1: 90 } }, 0)).toBe(1);
      expect(await store().writeDocument(key, { weights: { v1: 80 } }, 1)).toBe(2);
      expect(await store().readDocument(key)).toEqual({ version: 2, value: { weights: { v1: 80 } } });
    });

    test('of many writers who saw the same version one wins, and the others are told', async () => {
      const key = newExperiment();
      const writers = Array.from({ length: 20 }, (_, writer) => store().writeDocument(key, { writer }, 0));
      const versions = await Promise.all(writers);
      expect(versions.filter((version) => version === 1)).toHaveLength(1);
      expect(versions.filter((version) => version === undefined)).toHaveLength(19);
      expect((await store().readDocument(key))?.value).toEqual({ writer: versions.indexOf(1) });
    });

    test('a write and its entries in the audit log are one step: whoever is second leaves neither', async () => {
      const key = newExperiment();
      const before = await store().auditLength();
      const audit = [{ who: key }, { and: 'then' }];
      expect(await store().writeDocument(key, 1, 0, { audit })).toBe(1);
      expect(await store().writeDocument(key, 2, 0, { audit })).toBeUndefined();
      expect(await store().readAudit(before, 10)).toEqual([
        { sequence: before + 1, entry: audit[0] },
        { sequence: before + 2, entry: audit[1] },
      ]);
      expect(await store().auditLength()).toBe(before + 2);
    });

    test('a write under a lease is refused once the lease has run out or changed hands', async () => {
      const [key, lease] = [newExperiment(), newExperiment()];
      const fenceOf = async (holder: string, ttlMs: number): Promise<Fence> => ({
        lease,
        holder,
        token: (await store().acquireLease(lease, holder, ttlMs))?.token ?? 0,
      });
      const first = await fenceOf('a', 60_000);
      expect(await store().writeDocument(key, 'a', 0, { fence: first })).toBe(1);
      await expect(store().writeDocument(key, 'b', 1, { fence: { ...first, holder: 'b' } })).rejects.toThrow(
        LeaseLost,
      );
      await store().releaseLease(lease, 'a');
      await expect(store().writeDocument(key, 'a', 1, { fence: first })).rejects.toThrow(LeaseLost);
      const second = await fenceOf('a', 1);
      expect(second.token).toBeGreaterThan(first.token);
      await eventuallyHolds(async () => {
        const { version } = (await store().readDocument(key)) ?? { version: 0 };
        await expect(store().writeDocument(key, 'late', version, { fence: second })).rejects.toThrow(
          LeaseLost,
        );
      });
      const third = await fenceOf('a', 60_000);
      const audit = [{ who: key }];
      const before = await store().auditLength();
      await expect(store().writeDocument(key, 'a', 1, { fence: second, audit })).rejects.toThrow(LeaseLost);
      expect(await store().auditLength()).toBe(before);
      const { version = 0 } = (await store().readDocument(key)) ?? {};
      expect(await store().writeDocument(key, 'a', version, { fence: third })).toBe(version + 1);
    });

    test('a watcher is told of a write, and of none after it left', async () => {
      const key = newExperiment();
      const onChange = vi.fn();
      const stop = store().watchDocument(key, onChange);
      await store().writeDocument(key, 1, 0);
      await eventuallyHolds(() => {
        expect(onChange).toHaveBeenCalled();
      });
      stop();
      const other = vi.fn();
      store().watchDocument(key, other);
      const before = onChange.mock.calls.length;
      await eventuallyHolds(async () => {
        const version = (await store().readDocument(key))?.version ?? 0;
        await store().writeDocument(key, 2, version);
        expect(other).toHaveBeenCalled();
      });
      expect(onChange).toHaveBeenCalledTimes(before);
    });
  });

  describe('leases', () => {
    test('have one holder, who renews under the same token', async () => {
      const name = newExperiment();
      const lease = await store().acquireLease(name, 'a', 60_000);
      expect(lease?.token).toBeGreaterThan(0);
      expect(await store().acquireLease(name, 'b', 60_000)).toBeUndefined();
      expect(await store().acquireLease(name, 'a', 60_000)).toEqual(lease);
    });

    test('say who holds them, and that nobody does', async () => {
      const name = newExperiment();
      expect(await store().leaseHolder(name)).toBeUndefined();
      await store().acquireLease(name, 'a', 60_000);
      expect(await store().leaseHolder(name)).toBe('a');
      await store().releaseLease(name, 'a');
      expect(await store().leaseHolder(name)).toBeUndefined();
      await store().acquireLease(name, 'b', 30);
      await eventuallyHolds(async () => {
        expect(await store().leaseHolder(name)).toBeUndefined();
      });
    });

    test('go to another one with a higher token when they are let go, and when they run out', async () => {
      const name = newExperiment();
      const first = await store().acquireLease(name, 'a', 60_000);
      await store().releaseLease(name, 'b');
      expect(await store().acquireLease(name, 'b', 60_000)).toBeUndefined();
      await store().releaseLease(name, 'a');
      const second = await store().acquireLease(name, 'b', 50);
      expect(second?.token).toBeGreaterThan(first?.token ?? 0);
      await eventuallyHolds(async () => {
        const third = await store().acquireLease(name, 'c', 60_000);
        expect(third?.token).toBeGreaterThan(second?.token ?? 0);
      });
    });
  });
}
