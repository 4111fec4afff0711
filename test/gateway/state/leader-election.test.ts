import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { MemoryStore } from '../../../experiments/stores/memory/memory-store.ts';
import { LeaseLost, StoreUnavailable } from '../../../experiments/stores/state-store.ts';
import { LeaderElection } from '../../../gateway/state/leader-election.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const candidate = (store: MemoryStore, holder: string, onChange?: (isLeader: boolean) => void) =>
  new LeaderElection({
    leases: store,
    name: 'rollouts',
    holder,
    monotonicMs: Date.now,
    ...(onChange && { onChange }),
  });

test('one of many leads, and another one within five seconds of its silence', async () => {
  const store = new MemoryStore();
  const [a, b] = [candidate(store, 'a'), candidate(store, 'b')];
  a.start();
  await vi.advanceTimersByTimeAsync(10);
  b.start();
  await vi.advanceTimersByTimeAsync(60_000);
  expect([a.isLeader, b.isLeader]).toEqual([true, false]);
  // It dies: nothing renews its lease any more.
  const acquire = store.acquireLease.bind(store);
  vi.spyOn(store, 'acquireLease').mockImplementation((name, holder, ttlMs) =>
    holder === 'a' ? new Promise(() => undefined) : acquire(name, holder, ttlMs),
  );
  await vi.advanceTimersByTimeAsync(5000);
  expect([a.isLeader, b.isLeader]).toEqual([false, true]);
});

test('who stops lets go, and another one leads at its next try', async () => {
  const store = new MemoryStore();
  const told = vi.fn();
  const [a, b] = [candidate(store, 'a', told), candidate(store, 'b')];
  a.start();
  await vi.advanceTimersByTimeAsync(10);
  b.start();
  await a.stop();
  await vi.advanceTimersByTimeAsync(1000);
  expect([a.isLeader, b.isLeader]).toEqual([false, true]);
  expect(told.mock.calls).toEqual([[true], [false]]);
});

test('a leader that slept past its lease knows it when it wakes, and its writes are refused before', async () => {
  const store = new MemoryStore();
  const [a, b] = [candidate(store, 'a'), candidate(store, 'b')];
  a.start();
  await vi.advanceTimersByTimeAsync(10);
  const { fence } = a;
  expect(await store.writeDocument('x', 1, 0, fence && { fence })).toBe(1);
  // Stopped: its timers don't run, time does.
  const asleep = vi.spyOn(store, 'acquireLease').mockImplementation(() => new Promise(() => undefined));
  await vi.advanceTimersByTimeAsync(1000);
  vi.setSystemTime(Date.now() + 10_000);
  expect(a.isLeader).toBe(false);
  asleep.mockRestore();
  b.start();
  await vi.advanceTimersByTimeAsync(10);
  expect(b.fence?.token).toBeGreaterThan(fence?.token ?? 0);
  await expect(store.writeDocument('x', 2, 1, fence && { fence })).rejects.toThrow(LeaseLost);
});

test('while the store is away it leads until its lease has run out, and again when the store is back', async () => {
  const store = new MemoryStore();
  const a = candidate(store, 'a');
  a.start();
  await vi.advanceTimersByTimeAsync(10);
  const away = vi.spyOn(store, 'acquireLease').mockRejectedValue(new StoreUnavailable('away'));
  await vi.advanceTimersByTimeAsync(2000);
  expect(a.isLeader).toBe(true);
  await vi.advanceTimersByTimeAsync(1000);
  expect(a.isLeader).toBe(false);
  away.mockRestore();
  await vi.advanceTimersByTimeAsync(1000);
  expect(a.isLeader).toBe(true);
});
