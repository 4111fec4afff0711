import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { DEFAULT_QUEUE_POLICY } from '../../../backends/batching/batching-config.ts';
import { FakeRunner, ask, batcherOf, outcomeOf, someTurns } from './fake-runner.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
});

afterEach(() => {
  vi.useRealTimers();
});

const LEVELS = { priorityLevels: 3, defaultPriorityLevel: 2 };

/** A batcher with one runner that is busy until the test finishes its batch 0. */
async function busyBatcher(
  options: Parameters<typeof batcherOf>[0],
): Promise<ReturnType<typeof batcherOf> & { readonly runner: FakeRunner }> {
  const made = batcherOf(options);
  const runner = new FakeRunner();
  made.batcher.addRunner(runner);
  void ask(made.batcher, 'blocker');
  await someTurns();
  return { ...made, runner };
}

/** Lets the runner finish what it runs until nothing is left; returns what it was given after its batch 0. */
async function runAll(runner: FakeRunner): Promise<readonly (readonly string[])[]> {
  for (let index = 0; index < runner.batches.length; index++) {
    runner.batch(index).finish();
    await someTurns();
  }
  return runner.names.slice(1);
}

test('all of a level are run before the next one, and within a level the order is that of arrival', async () => {
  const { batcher, runner } = await busyBatcher({ ...LEVELS, maxRows: 2 });
  for (const [name, priority] of [
    ['low 1', 3],
    ['middle 1', 2],
    ['high 1', 1],
    ['low 2', 3],
    ['high 2', 1],
    ['high 3', 1],
  ] as const) {
    void ask(batcher, name, { priority });
  }
  expect(await runAll(runner)).toEqual([
    ['high 1', 'high 2'],
    ['high 3', 'middle 1'],
    ['low 1', 'low 2'],
  ]);
});

test('a request that names no priority, or 0, has the default level', async () => {
  const { batcher, runner } = await busyBatcher({ ...LEVELS, maxRows: 1 });
  void ask(batcher, 'low', { priority: 3 });
  void ask(batcher, 'none');
  void ask(batcher, 'zero', { priority: 0 });
  void ask(batcher, 'high', { priority: 1 });
  expect(await runAll(runner)).toEqual([['high'], ['none'], ['zero'], ['low']]);
});

test('the lane with the request of the highest priority goes first', async () => {
  const { batcher, runner } = await busyBatcher(LEVELS);
  void ask(batcher, 'older', { lane: 'wide', priority: 2 });
  void ask(batcher, 'first', { lane: 'narrow', priority: 1 });
  void ask(batcher, 'along', { lane: 'narrow', priority: 3 });
  expect(await runAll(runner)).toEqual([['first', 'along'], ['older']]);
});

test.each([4, -1, 1.5])('priority %d is refused, with the levels there are', async (priority) => {
  const { batcher } = await busyBatcher(LEVELS);
  await expect(ask(batcher, 'odd', { priority })).rejects.toMatchObject({
    fault: 'invalid_input',
    message: `the request's priority is ${priority}; expected 1 (first) to 3, or 0 for the model's default`,
  });
  expect(batcher.queued).toBe(0);
});

test('a model without levels takes no notice of priorities', async () => {
  const { batcher, runner } = await busyBatcher({ maxRows: 1 });
  void ask(batcher, 'a', { priority: 9 });
  void ask(batcher, 'b', { priority: 1 });
  expect(await runAll(runner)).toEqual([['a'], ['b']]);
});

test('each level has a queue of its own size', async () => {
  const { batcher } = await busyBatcher({
    ...LEVELS,
    defaultQueuePolicy: { ...DEFAULT_QUEUE_POLICY, maxQueueSize: 1 },
    priorityQueuePolicies: new Map([[1, { ...DEFAULT_QUEUE_POLICY, maxQueueSize: 2 }]]),
  });
  void ask(batcher, 'low', { priority: 3 });
  expect(await outcomeOf(ask(batcher, 'low too', { priority: 3 }))).toBe('queue_full');
  void ask(batcher, 'high 1', { priority: 1 });
  void ask(batcher, 'high 2', { priority: 1 });
  await expect(ask(batcher, 'high 3', { priority: 1 })).rejects.toMatchObject({
    fault: 'queue_full',
    message: 'Exceeds maximum queue size (2 requests)',
  });
  expect(batcher.queued).toBe(3);
});
