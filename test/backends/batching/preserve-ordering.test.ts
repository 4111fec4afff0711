import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { DEFAULT_QUEUE_POLICY } from '../../../backends/batching/batching-config.ts';
import type { Batcher } from '../../../backends/batching/batcher.ts';
import { FakeRunner, ask, batcherOf, outcomeOf, someTurns } from './fake-runner.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
});

afterEach(() => {
  vi.useRealTimers();
});

type Asked = Parameters<typeof ask>[2];

/** A batcher of one row a batch with three runners, and the names in the order in which their answers left. */
function orderedBatcher(options: Parameters<typeof batcherOf>[0] = {}): {
  readonly batcher: Batcher;
  readonly runners: readonly [FakeRunner, FakeRunner, FakeRunner];
  readonly left: string[];
  readonly send: (name: string, asked?: Asked) => void;
} {
  const { batcher } = batcherOf({ maxRows: 1, preserveOrdering: true, ...options });
  const runners = [new FakeRunner(), new FakeRunner(), new FakeRunner()] as const;
  for (const runner of runners) batcher.addRunner(runner);
  const left: string[] = [];
  const send = (name: string, asked: Asked = {}): void => {
    void outcomeOf(ask(batcher, name, asked)).then((outcome) =>
      left.push(outcome === name ? name : `${name} ${outcome}`),
    );
  };
  return { batcher, runners, left, send };
}

test('answers of several instances leave in the order their requests came', async () => {
  const { runners, left, send } = orderedBatcher();
  for (const name of ['a', 'b', 'c']) send(name);
  await someTurns();
  runners[2].batch(0).finish();
  await someTurns();
  runners[1].batch(0).finish();
  await someTurns();
  expect(left).toEqual([]);
  runners[0].batch(0).finish();
  await someTurns();
  expect(left).toEqual(['a', 'b', 'c']);
});

test('without it they leave as they come', async () => {
  const { runners, left, send } = orderedBatcher({ preserveOrdering: false });
  for (const name of ['a', 'b']) send(name);
  await someTurns();
  runners[1].batch(0).finish();
  await someTurns();
  expect(left).toEqual(['b']);
});

test('a model that fails answers in its turn too', async () => {
  const { runners, left, send } = orderedBatcher();
  for (const name of ['a', 'b']) send(name);
  await someTurns();
  runners[1].batch(0).fail(new Error('the shapes do not fit'));
  await someTurns();
  expect(left).toEqual([]);
  runners[0].batch(0).finish();
  await someTurns();
  expect(left).toEqual(['a', 'b run_failed']);
});

test('nobody waits for one that hung up, and the memory of one that hung up while its answer waited is given back', async () => {
  const { batcher, runners, left, send } = orderedBatcher();
  const [first, second] = [new AbortController(), new AbortController()];
  send('a', { signal: first.signal });
  send('b', { signal: second.signal });
  send('c');
  await someTurns();
  runners[1].batch(0).finish();
  runners[2].batch(0).finish();
  await someTurns();
  expect(batcher.running).toBe(3);
  second.abort();
  expect(runners[1].batch(0).released).toBe(1);
  first.abort();
  await someTurns();
  expect(left).toEqual(['b cancelled', 'a cancelled', 'c']);
  expect(batcher.running).toBe(1);
  runners[0].batch(0).finish();
  await someTurns();
  expect(runners[0].batch(0).released).toBe(1);
  expect(batcher.running).toBe(0);
});

test('a deadline counts while an answer waits for its turn', async () => {
  const { runners, left, send } = orderedBatcher();
  send('slow');
  send('b', { deadlineMs: performance.now() + 20 });
  await someTurns();
  runners[1].batch(0).finish();
  await vi.advanceTimersByTimeAsync(20);
  expect(left).toEqual(['b expired_in_run']);
  expect(runners[1].batch(0).released).toBe(1);
});

test('levels do not wait for each other', async () => {
  const { runners, left, send } = orderedBatcher({ priorityLevels: 2, defaultPriorityLevel: 1 });
  send('low', { priority: 2 });
  send('high', { priority: 1 });
  await someTurns();
  // The level decides who goes first: the first instance has the one of level 1.
  expect(runners[0].names).toEqual([['high']]);
  runners[0].batch(0).finish();
  await someTurns();
  expect(left).toEqual(['high']);
});

test('one that is late under DELAY has lost its place: nobody waits for it', async () => {
  const { runners, left, send } = orderedBatcher({
    defaultQueuePolicy: { ...DEFAULT_QUEUE_POLICY, timeoutAction: 'DELAY', defaultTimeoutMs: 10 },
  });
  for (const name of ['a', 'b', 'c', 'late']) send(name);
  await someTurns();
  await vi.advanceTimersByTimeAsync(10);
  send('d');
  for (const runner of runners) runner.batch(0).finish();
  await someTurns();
  runners[0].batch(1).finish();
  await someTurns();
  expect(runners[0].names[1]).toEqual(['d']);
  expect(left).toEqual(['a', 'b', 'c', 'd']);
});

test('draining answers those whose turn has not come', async () => {
  const { batcher, runners, left, send } = orderedBatcher();
  for (const name of ['a', 'b']) send(name);
  await someTurns();
  runners[1].batch(0).finish();
  await someTurns();
  const onDrained = vi.fn();
  void batcher.drain().then(onDrained);
  await someTurns();
  expect(onDrained).not.toHaveBeenCalled();
  runners[0].batch(0).finish();
  await someTurns();
  expect(onDrained).toHaveBeenCalledOnce();
  expect(left).toEqual(['a', 'b']);
});
