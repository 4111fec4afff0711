import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { DEFAULT_QUEUE_POLICY } from '../../../backends/batching/batching-config.ts';
import { FakeRunner, ask, batcherOf, outcomeOf, someTurns } from './fake-runner.ts';

beforeEach(() => {
  vi.useFakeTimers({
    toFake: ['setTimeout', 'clearTimeout', 'performance'],
  });
});

afterEach(() => {
  vi.useRealTimers();
});

/** Lets this turn of the event loop end. */
async function turn(): Promise<void> {
  await someTurns();
}

test('all that arrive in one turn of the event loop share a batch', async () => {
  const { batcher } = batcherOf();
  const runner = new FakeRunner();
  batcher.addRunner(runner);
  void ask(batcher, 'a');
  await Promise.resolve();
  void ask(batcher, 'b');
  void ask(batcher, 'c');
  expect(runner.batches).toHaveLength(0);
  await turn();
  expect(runner.names).toEqual([['a', 'b', 'c']]);
});

test('each caller is answered with its own outputs, and told of its wait and of its batch', async () => {
  const { batcher } = batcherOf();
  const runner = new FakeRunner();
  batcher.addRunner(runner);
  const first = ask(batcher, 'first');
  await turn();
  const second = ask(batcher, 'second', { rows: 2 });
  await vi.advanceTimersByTimeAsync(40);
  const third = ask(batcher, 'third', { rows: 3 });
  runner.batch(0).finish();
  await turn();
  runner.batch(1).finish();
  expect(await outcomeOf(first)).toBe('first');
  expect(await outcomeOf(second)).toBe('second');
  expect(await second).toMatchObject({ queueMs: 40, computeMs: 7, batchRows: 5 });
  expect(await outcomeOf(third)).toBe('third');
  expect(await third).toMatchObject({ queueMs: 0, computeMs: 7, batchRows: 5 });
});

test('a batch is counted in rows, not in requests, and never has more than the most', async () => {
  const { batcher } = batcherOf({ maxRows: 8 });
  const runner = new FakeRunner();
  batcher.addRunner(runner);
  void ask(batcher, 'five', { rows: 5 });
  void ask(batcher, 'three', { rows: 3 });
  void ask(batcher, 'six', { rows: 6 });
  void ask(batcher, 'four', { rows: 4 });
  void ask(batcher, 'two', { rows: 2 });
  for (const index of [0, 1, 2]) {
    await turn();
    runner.batch(index).finish();
  }
  await turn();
  expect(runner.names).toEqual([['five', 'three'], ['six'], ['four', 'two']]);
  expect(runner.batches.map((batch) => batch.rows)).toEqual([8, 6, 6]);
});

test('a small request does not overtake a big one of its lane', async () => {
  const { batcher } = batcherOf({ maxRows: 8 });
  const runner = new FakeRunner();
  batcher.addRunner(runner);
  void ask(batcher, 'six', { rows: 6 });
  void ask(batcher, 'seven', { rows: 7 });
  void ask(batcher, 'one');
  await turn();
  runner.batch(0).finish();
  await turn();
  expect(runner.names).toEqual([['six'], ['seven', 'one']]);
});

test('requests of different lanes never share a batch, and the lane with the oldest request goes first', async () => {
  const { batcher } = batcherOf();
  const runner = new FakeRunner();
  batcher.addRunner(runner);
  void ask(batcher, 'blocker');
  await turn();
  for (const [name, lane] of [
    ['wide 1', 'wide'],
    ['narrow 1', 'narrow'],
    ['wide 2', 'wide'],
    ['narrow 2', 'narrow'],
  ] as const) {
    void ask(batcher, name, { lane });
    await vi.advanceTimersByTimeAsync(1);
  }
  for (const index of [0, 1, 2]) {
    runner.batch(index).finish();
    await turn();
  }
  expect(runner.names).toEqual([['blocker'], ['wide 1', 'wide 2'], ['narrow 1', 'narrow 2']]);
});

test('a lane that has a full batch does not overtake an older one', async () => {
  const { batcher } = batcherOf({ maxRows: 2 });
  const runner = new FakeRunner();
  batcher.addRunner(runner);
  void ask(batcher, 'blocker');
  await turn();
  void ask(batcher, 'old', { lane: 'old' });
  await vi.advanceTimersByTimeAsync(1);
  void ask(batcher, 'full', { lane: 'full', rows: 2 });
  runner.batch(0).finish();
  await turn();
  expect(runner.names).toEqual([['blocker'], ['old']]);
});

test('several runners pull from one queue', async () => {
  const { batcher } = batcherOf({ maxRows: 2 });
  const [left, right] = [new FakeRunner(), new FakeRunner()];
  batcher.addRunner(left);
  batcher.addRunner(right);
  for (const name of ['a', 'b', 'c', 'd', 'e', 'f']) void ask(batcher, name);
  await turn();
  expect([left.names, right.names]).toEqual([[['a', 'b']], [['c', 'd']]]);
  right.batch(0).finish();
  await turn();
  expect(right.names).toEqual([
    ['c', 'd'],
    ['e', 'f'],
  ]);
});

test('an idle runner never waits while a request is queued', async () => {
  const { batcher } = batcherOf();
  const [busy, idle] = [new FakeRunner(), new FakeRunner()];
  batcher.addRunner(busy);
  batcher.addRunner(idle);
  void ask(batcher, 'a');
  await turn();
  void ask(batcher, 'b');
  await turn();
  expect([busy.names, idle.names]).toEqual([[['a']], [['b']]]);
});

test('what is queued before there is a runner goes to the first one that comes', async () => {
  const { batcher } = batcherOf();
  const answer = ask(batcher, 'early');
  await turn();
  expect(batcher.queued).toBe(1);
  const runner = new FakeRunner();
  batcher.addRunner(runner);
  await turn();
  runner.batch(0).finish();
  expect(await outcomeOf(answer)).toBe('early');
});

test('it tells how many requests wait and how many run', async () => {
  const { batcher } = batcherOf({ maxRows: 2 });
  const runner = new FakeRunner();
  batcher.addRunner(runner);
  const answers = ['a', 'b', 'c'].map((name) => ask(batcher, name));
  expect([batcher.queued, batcher.running]).toEqual([3, 0]);
  await turn();
  expect([batcher.queued, batcher.running]).toEqual([1, 2]);
  runner.batch(0).finish();
  await turn();
  runner.batch(1).finish();
  await Promise.all(answers);
  expect([batcher.queued, batcher.running]).toEqual([0, 0]);
});

test('one request more than may wait is refused, and those that wait are not disturbed', async () => {
  const { batcher } = batcherOf({ defaultQueuePolicy: { ...DEFAULT_QUEUE_POLICY, maxQueueSize: 2 } });
  const runner = new FakeRunner();
  batcher.addRunner(runner);
  void ask(batcher, 'running');
  await turn();
  const waiting = [ask(batcher, 'a'), ask(batcher, 'b')];
  const refused = ask(batcher, 'c');
  await expect(refused).rejects.toMatchObject({
    fault: 'queue_full',
    message: 'Exceeds maximum queue size (2 requests)',
  });
  runner.batch(0).finish();
  await turn();
  runner.batch(1).finish();
  expect(await Promise.all(waiting.map(outcomeOf))).toEqual(['a', 'b']);
});

test('an error fails the requests of its batch and no others, and the runner goes on', async () => {
  const { batcher } = batcherOf({ maxRows: 2 });
  const runner = new FakeRunner();
  batcher.addRunner(runner);
  const answers = ['a', 'b', 'c'].map((name) => ask(batcher, name));
  await turn();
  const cause = new Error('the shapes do not fit');
  runner.batch(0).fail(cause);
  await turn();
  runner.batch(1).finish();
  expect(await Promise.all(answers.map(outcomeOf))).toEqual(['run_failed', 'run_failed', 'c']);
  await expect(answers[0]).rejects.toMatchObject({ message: 'the shapes do not fit', cause });
});
