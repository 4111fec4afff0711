import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { FakeRunner, ask, batcherOf, someTurns } from './fake-runner.ts';

beforeEach(() => {
  vi.useFakeTimers({
    toFake: ['setTimeout', 'clearTimeout', 'performance'],
  });
});

afterEach(() => {
  vi.useRealTimers();
});

describe('with no queue delay', () => {
  test('a batch goes as soon as a runner is idle, whatever its size', async () => {
    const { batcher, told } = batcherOf({ maxRows: 8 });
    batcher.addRunner(new FakeRunner());
    void ask(batcher, 'a', { rows: 3 });
    await someTurns();
    expect(told).toEqual([[3, 'idle']]);
  });

  test('a batch that has all the rows it may have goes as full', async () => {
    const { batcher, told } = batcherOf({ maxRows: 8 });
    batcher.addRunner(new FakeRunner());
    void ask(batcher, 'a', { rows: 3 });
    void ask(batcher, 'b', { rows: 5 });
    await someTurns();
    expect(told).toEqual([[8, 'full']]);
  });

  test('preferred sizes hold nothing back', async () => {
    const { batcher, told } = batcherOf({ maxRows: 8, preferredBatchSizes: [4] });
    batcher.addRunner(new FakeRunner());
    void ask(batcher, 'a', { rows: 5 });
    await someTurns();
    expect(told).toEqual([[5, 'idle']]);
  });
});

describe('with a queue delay', () => {
  const delayed = { maxRows: 8, maxQueueDelayMs: 20 };

  test('a batch waits for more, and goes when its oldest request has waited that long', async () => {
    const { batcher, told } = batcherOf(delayed);
    const runner = new FakeRunner();
    batcher.addRunner(runner);
    void ask(batcher, 'a');
    await vi.advanceTimersByTimeAsync(15);
    void ask(batcher, 'b');
    await vi.advanceTimersByTimeAsync(4);
    expect(told).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(told).toEqual([[2, 'delay']]);
    expect(runner.names).toEqual([['a', 'b']]);
  });

  test('a batch that becomes full does not wait any longer', async () => {
    const { batcher, told } = batcherOf(delayed);
    batcher.addRunner(new FakeRunner());
    void ask(batcher, 'a', { rows: 6 });
    await vi.advanceTimersByTimeAsync(5);
    void ask(batcher, 'b', { rows: 2 });
    await someTurns();
    expect(told).toEqual([[8, 'full']]);
  });

  test('a batch that reaches a preferred size does not wait any longer', async () => {
    const { batcher, told } = batcherOf({ ...delayed, preferredBatchSizes: [4] });
    batcher.addRunner(new FakeRunner());
    void ask(batcher, 'a', { rows: 3 });
    await vi.advanceTimersByTimeAsync(5);
    expect(told).toEqual([]);
    void ask(batcher, 'b');
    await someTurns();
    expect(told).toEqual([[4, 'preferred']]);
  });

  test('the largest preferred size is taken, and what is left over waits for its own delay', async () => {
    const { batcher, told } = batcherOf({ ...delayed, preferredBatchSizes: [2, 4] });
    const runner = new FakeRunner();
    batcher.addRunner(runner);
    batcher.addRunner(runner);
    for (const name of ['a', 'b', 'c', 'd', 'e']) void ask(batcher, name);
    await someTurns();
    await vi.advanceTimersByTimeAsync(19);
    expect(told).toEqual([[4, 'preferred']]);
    await vi.advanceTimersByTimeAsync(1);
    expect(told).toEqual([
      [4, 'preferred'],
      [1, 'delay'],
    ]);
    expect(runner.names).toEqual([['a', 'b', 'c', 'd'], ['e']]);
  });

  test('a batch that can have no preferred size waits out its delay and takes what there is', async () => {
    const { batcher, told } = batcherOf({ ...delayed, preferredBatchSizes: [4] });
    batcher.addRunner(new FakeRunner());
    void ask(batcher, 'a', { rows: 3 });
    void ask(batcher, 'b', { rows: 3 });
    await someTurns();
    await vi.advanceTimersByTimeAsync(20);
    expect(told).toEqual([[6, 'delay']]);
  });

  test('what waited out its delay behind a busy runner goes as soon as the runner is free', async () => {
    const { batcher, told } = batcherOf(delayed);
    const runner = new FakeRunner();
    batcher.addRunner(runner);
    void ask(batcher, 'blocker', { rows: 8 });
    await someTurns();
    void ask(batcher, 'a');
    await vi.advanceTimersByTimeAsync(30);
    expect(told).toEqual([[8, 'full']]);
    runner.batch(0).finish();
    await someTurns();
    expect(told).toEqual([
      [8, 'full'],
      [1, 'delay'],
    ]);
  });

  test('a full lane goes although an older one still waits', async () => {
    const { batcher } = batcherOf(delayed);
    const runner = new FakeRunner();
    batcher.addRunner(runner);
    void ask(batcher, 'old', { lane: 'old' });
    await vi.advanceTimersByTimeAsync(1);
    void ask(batcher, 'full', { lane: 'full', rows: 8 });
    await someTurns();
    expect(runner.names).toEqual([['full']]);
  });

  test('each lane goes at the end of its own delay', async () => {
    const { batcher, told } = batcherOf(delayed);
    const runner = new FakeRunner();
    batcher.addRunner(runner);
    batcher.addRunner(runner);
    void ask(batcher, 'a', { lane: 'a' });
    await vi.advanceTimersByTimeAsync(10);
    void ask(batcher, 'b', { lane: 'b' });
    await vi.advanceTimersByTimeAsync(10);
    expect(runner.names).toEqual([['a']]);
    await vi.advanceTimersByTimeAsync(10);
    expect(runner.names).toEqual([['a'], ['b']]);
    expect(told.map(([, reason]) => reason)).toEqual(['delay', 'delay']);
  });

  test('draining ends the wait', async () => {
    const { batcher, told } = batcherOf(delayed);
    const runner = new FakeRunner();
    batcher.addRunner(runner);
    void ask(batcher, 'a');
    await vi.advanceTimersByTimeAsync(1);
    void batcher.drain();
    await someTurns();
    expect(told).toEqual([[1, 'drain']]);
  });
});
