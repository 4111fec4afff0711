import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { FakeRunner, ask, batcherOf, outcomeOf, someTurns } from './fake-runner.ts';

beforeEach(() => {
  vi.useFakeTimers({
    toFake: ['setTimeout', 'clearTimeout', 'performance'],
  });
});

afterEach(() => {
  vi.useRealTimers();
});

/** A batcher with one runner that is busy until the test finishes its batch 0. */
async function busyBatcher(): Promise<ReturnType<typeof batcherOf> & { readonly runner: FakeRunner }> {
  const made = batcherOf();
  const runner = new FakeRunner();
  made.batcher.addRunner(runner);
  void ask(made.batcher, 'blocker');
  await someTurns();
  return { ...made, runner };
}

describe('a caller that hangs up', () => {
  test('leaves the queue at once and never reaches the model', async () => {
    const { batcher, runner } = await busyBatcher();
    const caller = new AbortController();
    const before = ask(batcher, 'before');
    const gone = ask(batcher, 'gone', { signal: caller.signal });
    const after = ask(batcher, 'after');
    caller.abort();
    expect(await outcomeOf(gone)).toBe('cancelled');
    expect(batcher.queued).toBe(2);
    runner.batch(0).finish();
    await someTurns();
    runner.batch(1).finish();
    expect(runner.names).toEqual([['blocker'], ['before', 'after']]);
    expect(await Promise.all([before, after].map(outcomeOf))).toEqual(['before', 'after']);
  });

  test('before it was queued is not queued', async () => {
    const { batcher } = await busyBatcher();
    expect(await outcomeOf(ask(batcher, 'gone', { signal: AbortSignal.abort() }))).toBe('cancelled');
    expect(batcher.queued).toBe(0);
  });

  test('while the model runs is answered at once, and its share of the memory is given back once, at the end', async () => {
    const { batcher } = batcherOf();
    const runner = new FakeRunner();
    batcher.addRunner(runner);
    const caller = new AbortController();
    const gone = ask(batcher, 'gone', { signal: caller.signal });
    const stays = ask(batcher, 'stays');
    await someTurns();
    caller.abort();
    expect(await outcomeOf(gone)).toBe('cancelled');
    expect(runner.batch(0).released).toBe(0);
    runner.batch(0).finish();
    const answer = await stays;
    expect(runner.batch(0).released).toBe(1);
    answer.release();
    expect(runner.batch(0).released).toBe(2);
  });

  test('after the answer changes nothing', async () => {
    const { batcher, runner } = await busyBatcher();
    const caller = new AbortController();
    const answered = ask(batcher, 'answered', { signal: caller.signal });
    runner.batch(0).finish();
    await someTurns();
    runner.batch(1).finish();
    const answer = await answered;
    caller.abort();
    expect(runner.batch(1).released).toBe(0);
    answer.release();
    expect(runner.batch(1).released).toBe(1);
  });

  test('leaves its rows to others of the batch that was building up', async () => {
    const { batcher, told } = batcherOf({ maxRows: 8, maxQueueDelayMs: 20 });
    batcher.addRunner(new FakeRunner());
    const caller = new AbortController();
    void ask(batcher, 'gone', { rows: 6, signal: caller.signal });
    void ask(batcher, 'a', { rows: 1 });
    caller.abort();
    void ask(batcher, 'b', { rows: 6 });
    await someTurns();
    await vi.advanceTimersByTimeAsync(20);
    expect(told).toEqual([[7, 'delay']]);
  });
});

describe('a deadline', () => {
  test('that passes in the queue is answered then, and the model never sees the request', async () => {
    const { batcher, runner } = await busyBatcher();
    const answer = ask(batcher, 'late', { deadlineMs: performance.now() + 10 });
    await vi.advanceTimersByTimeAsync(9);
    expect(batcher.queued).toBe(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(batcher.queued).toBe(0);
    await expect(answer).rejects.toMatchObject({
      fault: 'expired_in_queue',
      message: 'Request timeout expired while it was queued',
    });
    runner.batch(0).finish();
    await someTurns();
    expect(runner.names).toEqual([['blocker']]);
  });

  test('that has passed when the request arrives keeps it from the model although a runner is idle', async () => {
    const { batcher } = batcherOf();
    const runner = new FakeRunner();
    batcher.addRunner(runner);
    const answer = ask(batcher, 'late', { deadlineMs: performance.now() - 1 });
    await vi.advanceTimersByTimeAsync(5);
    expect(runner.names).toEqual([]);
    expect(await outcomeOf(answer)).toBe('expired_in_queue');
  });

  test('that passed while the event loop was held up keeps the request from the model', async () => {
    const { batcher, runner } = await busyBatcher();
    const answer = ask(batcher, 'late', { deadlineMs: performance.now() + 10 });
    // The clock goes on and no timer fires: the main thread is busy. Then the batch's end is the first to be heard.
    const held = performance.now() + 50;
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => held);
    runner.batch(0).finish();
    await someTurns();
    clock.mockRestore();
    expect(runner.names).toEqual([['blocker']]);
    await vi.advanceTimersByTimeAsync(50);
    expect(await outcomeOf(answer)).toBe('expired_in_queue');
  });

  test('that passes while the model runs is answered then, and the memory is given back at the end', async () => {
    const { batcher } = batcherOf();
    const runner = new FakeRunner();
    batcher.addRunner(runner);
    const answer = ask(batcher, 'slow', { deadlineMs: performance.now() + 10 });
    await vi.advanceTimersByTimeAsync(10);
    await expect(answer).rejects.toMatchObject({
      fault: 'expired_in_run',
      message: 'Request timeout expired while the model ran',
    });
    expect(runner.batch(0).released).toBe(0);
    runner.batch(0).finish();
    await someTurns();
    expect(runner.batch(0).released).toBe(1);
  });

  test('is kept for each request, in whatever order the deadlines come', async () => {
    const { batcher } = await busyBatcher();
    const now = performance.now();
    const late = ask(batcher, 'late', { deadlineMs: now + 30 });
    const early = ask(batcher, 'early', { deadlineMs: now + 10 });
    const between = ask(batcher, 'between', { deadlineMs: now + 20 });
    const ends: string[] = [];
    const note = (name: string): (() => void) => {
      return () => ends.push(`${name} at ${performance.now() - now}`);
    };
    late.catch(note('late'));
    early.catch(note('early'));
    between.catch(note('between'));
    await vi.advanceTimersByTimeAsync(30);
    expect(ends).toEqual(['early at 10', 'between at 20', 'late at 30']);
  });

  test('further away than a timer can count does not keep the batcher busy', async () => {
    const { batcher } = await busyBatcher();
    const timers = vi.spyOn(globalThis, 'setTimeout');
    void ask(batcher, 'patient', { deadlineMs: performance.now() + 60 * 24 * 3_600_000 });
    await vi.advanceTimersByTimeAsync(1000);
    expect(timers.mock.calls.length).toBeLessThan(5);
    expect(batcher.queued).toBe(1);
  });
});
