import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { DEFAULT_QUEUE_POLICY } from '../../../backends/batching/batching-config.ts';
import type { ReleaseReason } from '../../../backends/inference.ts';
import { FakeRunner, ask, batcherOf, outcomeOf, someTurns } from './fake-runner.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
});

afterEach(() => {
  vi.useRealTimers();
});

const FIXED_MS = 10;
const PER_ROW_MS = 1;

/** Finishes the runner's last batch after as long as its rows take. */
async function runLast(runner: FakeRunner): Promise<void> {
  const batch = runner.batch(runner.batches.length - 1);
  await vi.advanceTimersByTimeAsync(FIXED_MS + PER_ROW_MS * batch.rows);
  batch.finish();
  await someTurns();
}

/** A batcher that has learnt that a run of r rows takes 10 + r ms, and whose traffic lies a while back. */
async function taughtBatcher(
  options: Parameters<typeof batcherOf>[0],
): Promise<ReturnType<typeof batcherOf> & { readonly runner: FakeRunner }> {
  const made = batcherOf({ maxRows: 8, ...options });
  const runner = new FakeRunner();
  made.batcher.addRunner(runner);
  for (const rows of [8, 4, 8, 2, 6, 1, 8, 3]) {
    void ask(made.batcher, 'lesson', { rows });
    await someTurns();
    // A target that thinks waiting worthwhile may hold the lesson back for a while.
    while (made.batcher.queued > 0) await vi.advanceTimersByTimeAsync(1);
    await runLast(runner);
  }
  await vi.advanceTimersByTimeAsync(900);
  made.told.length = 0;
  runner.batches.length = 0;
  return { ...made, runner };
}

/** One row each 2 ms for a second, and a runner that takes as long as its rows do; what came of the second half. */
async function serve(
  options: Parameters<typeof batcherOf>[0],
): Promise<{ told: [rows: number, reason: ReleaseReason][]; latenciesMs: number[] }> {
  const { batcher, told, runner } = await taughtBatcher(options);
  const latenciesMs: number[] = [];
  let finished = 0;
  for (let elapsedMs = 0; elapsedMs < 1000; elapsedMs++) {
    if (elapsedMs === 500) {
      told.length = 0;
      latenciesMs.length = 0;
    }
    if (elapsedMs % 2 === 0) {
      const startMs = performance.now();
      void ask(batcher, 'row').then(() => latenciesMs.push(performance.now() - startMs));
    }
    await vi.advanceTimersByTimeAsync(1);
    await someTurns();
    for (const batch of runner.batches.slice(finished)) {
      finished += 1;
      setTimeout(
        () => {
          batch.finish();
        },
        FIXED_MS + PER_ROW_MS * batch.rows,
      );
    }
  }
  return { told, latenciesMs };
}

describe('how long a batch waits', () => {
  test('at a low load not at all', async () => {
    const { batcher, told } = await taughtBatcher({ targetLatencyMs: 100 });
    void ask(batcher, 'alone');
    await someTurns();
    expect(told).toEqual([[1, 'idle']]);
  });

  test('while nothing is known of the cost, not at all', async () => {
    const { batcher, told } = batcherOf({ targetLatencyMs: 100 });
    batcher.addRunner(new FakeRunner());
    void ask(batcher, 'first');
    await someTurns();
    expect(told).toEqual([[1, 'idle']]);
  });

  test('at a high load until the batch is as big as the load needs', async () => {
    const { told, latenciesMs } = await serve({ targetLatencyMs: 200, maxRows: 64 });
    // One row each 2 ms: with batches of 17 rows the runner is busy for 0.8 of the time.
    const rows = told.reduce((sum, [count]) => sum + count, 0) / told.length;
    expect(rows).toBeGreaterThan(12);
    expect(rows).toBeLessThan(24);
    expect(new Set(told.map(([, reason]) => reason))).toEqual(new Set(['idle']));
    expect(Math.max(...latenciesMs)).toBeLessThan(120);
  });

  test('but never so long that the oldest request would miss the target', async () => {
    const { told, latenciesMs } = await serve({ targetLatencyMs: 40, maxRows: 64 });
    expect(told.filter(([, reason]) => reason === 'deadline').length).toBeGreaterThan(told.length / 2);
    expect(Math.max(...latenciesMs)).toBeLessThanOrEqual(40);
  });

  test('nor longer than the configured delay', async () => {
    const { told } = await serve({ targetLatencyMs: 200, maxQueueDelayMs: 10, maxRows: 64 });
    expect(told.map(([, reason]) => reason)).toContain('delay');
    expect(told.map(([, reason]) => reason)).not.toContain('deadline');
  });
});

describe('a deadline ends the wait for a bigger batch in time for the run', () => {
  test("the request's own", async () => {
    const { batcher, told, runner } = await taughtBatcher({ maxQueueDelayMs: 200 });
    const startMs = performance.now();
    const answer = ask(batcher, 'hurried', { deadlineMs: startMs + 50 });
    while (told.length === 0) await vi.advanceTimersByTimeAsync(1);
    expect(told).toEqual([[1, 'deadline']]);
    expect(performance.now() - startMs).toBeGreaterThan(25);
    await runLast(runner);
    expect(await outcomeOf(answer)).toBe('hurried');
    expect(performance.now() - startMs).toBeLessThanOrEqual(50);
  });

  test('a queue timeout that is shorter than the delay', async () => {
    const { batcher, told, runner } = await taughtBatcher({
      maxQueueDelayMs: 200,
      defaultQueuePolicy: { ...DEFAULT_QUEUE_POLICY, defaultTimeoutMs: 20 },
    });
    const answer = ask(batcher, 'impatient');
    await vi.advanceTimersByTimeAsync(20);
    expect(told).toEqual([[1, 'deadline']]);
    await runLast(runner);
    expect(await outcomeOf(answer)).toBe('impatient');
  });
});

describe('what can not be answered in time is refused at once', () => {
  test('when too much waits before it', async () => {
    const { batcher, runner } = await taughtBatcher({ targetLatencyMs: 40 });
    void ask(batcher, 'running', { rows: 8 });
    await someTurns();
    // 18 ms until the runner is free, and 18 ms for a batch of eight.
    const inTime = ask(batcher, 'in time', { rows: 8 });
    const tooLate = ask(batcher, 'too late', { rows: 8 });
    await expect(tooLate).rejects.toMatchObject({ fault: 'deadline_unreachable' });
    await expect(tooLate).rejects.toThrow(
      /^the request can't be answered within 40 ms: with what waits before it, it would take about 5\d ms$/,
    );
    await expect(tooLate).rejects.toHaveProperty('retryAfterMs', expect.closeTo(36, 0));
    expect(batcher.queued).toBe(1);
    await runLast(runner);
    await runLast(runner);
    expect(await outcomeOf(inTime)).toBe('in time');
  });

  test('when its own deadline is nearer than its run is long', async () => {
    const { batcher } = await taughtBatcher({ targetLatencyMs: 1000 });
    // What was learnt must be fresh.
    const runner = new FakeRunner();
    batcher.addRunner(runner);
    const hurried = ask(batcher, 'hurried', { deadlineMs: performance.now() + 5 });
    expect(await outcomeOf(hurried)).toBe('deadline_unreachable');
    expect(batcher.queued).toBe(0);
  });

  test('not when a more urgent level has room', async () => {
    const { batcher } = await taughtBatcher({
      targetLatencyMs: 40,
      priorityLevels: 2,
      defaultPriorityLevel: 2,
    });
    void ask(batcher, 'running', { rows: 8 });
    await someTurns();
    void ask(batcher, 'low', { rows: 8 });
    expect(await outcomeOf(ask(batcher, 'low too', { rows: 8 }))).toBe('deadline_unreachable');
    void ask(batcher, 'high', { rows: 8, priority: 1 });
    expect(batcher.queued).toBe(2);
  });

  test('but an idle instance answers, though no run can meet the target', async () => {
    const { batcher, told } = await taughtBatcher({ targetLatencyMs: 3 });
    void ask(batcher, 'a');
    await someTurns();
    expect(told).toEqual([[1, 'idle']]);
    expect(await outcomeOf(ask(batcher, 'b'))).toBe('deadline_unreachable');
  });

  test('and what was learnt is not held against callers for ever', async () => {
    const { batcher } = await taughtBatcher({ targetLatencyMs: 40 });
    await vi.advanceTimersByTimeAsync(1000);
    void ask(batcher, 'a', { deadlineMs: performance.now() + 5 });
    expect(batcher.queued).toBe(1);
  });

  test('without a target nothing is', async () => {
    const { batcher } = await taughtBatcher({});
    void ask(batcher, 'hurried', { deadlineMs: performance.now() + 5 });
    expect(batcher.queued).toBe(1);
  });
});

test('a full queue says after how long it may have room', async () => {
  const { batcher } = await taughtBatcher({
    defaultQueuePolicy: { ...DEFAULT_QUEUE_POLICY, maxQueueSize: 1 },
  });
  void ask(batcher, 'running', { rows: 8 });
  await someTurns();
  void ask(batcher, 'waits', { rows: 8 });
  await expect(ask(batcher, 'refused')).rejects.toMatchObject({
    fault: 'queue_full',
    retryAfterMs: expect.closeTo(36, 0) as number,
  });
});
