import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { DEFAULT_QUEUE_POLICY } from '../../../backends/batching/batching-config.ts';
import type { QueuePolicy } from '../../../backends/batching/batching-config.ts';
import { RunnerGone } from '../../../backends/batching/runner.ts';
import { FakeRunner, ask, batcherOf, outcomeOf, someTurns } from './fake-runner.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
});

afterEach(() => {
  vi.useRealTimers();
});

/** A batcher of one row a batch, with a policy, and one runner that is busy until the test finishes its batch 0. */
async function busyBatcher(
  policy: Partial<QueuePolicy>,
  options: Parameters<typeof batcherOf>[0] = {},
): Promise<ReturnType<typeof batcherOf> & { readonly runner: FakeRunner }> {
  const defaultQueuePolicy = { ...DEFAULT_QUEUE_POLICY, ...policy };
  const made = batcherOf({ maxRows: 1, defaultQueuePolicy, ...options });
  const runner = new FakeRunner();
  made.batcher.addRunner(runner);
  void ask(made.batcher, 'blocker');
  await someTurns();
  return { ...made, runner };
}

async function finishNext(runner: FakeRunner): Promise<void> {
  runner.batch(runner.batches.length - 1).finish();
  await someTurns();
}

describe('REJECT', () => {
  test('refuses a request that waited for the timeout, and the model never sees it', async () => {
    const { batcher, runner } = await busyBatcher({ defaultTimeoutMs: 10 });
    const answer = ask(batcher, 'late');
    await vi.advanceTimersByTimeAsync(9);
    expect(batcher.queued).toBe(1);
    await vi.advanceTimersByTimeAsync(1);
    await expect(answer).rejects.toMatchObject({
      fault: 'queue_timeout',
      message: 'Request timeout expired',
    });
    expect(batcher.queued).toBe(0);
    await finishNext(runner);
    expect(runner.names).toEqual([['blocker']]);
  });

  test('counts the wait in the queue only, not the run', async () => {
    const { batcher, runner } = await busyBatcher({ defaultTimeoutMs: 10 });
    const answer = ask(batcher, 'in time');
    await vi.advanceTimersByTimeAsync(8);
    await finishNext(runner);
    await vi.advanceTimersByTimeAsync(100);
    await finishNext(runner);
    expect(await outcomeOf(answer)).toBe('in time');
  });

  test('makes room in a full queue', async () => {
    const { batcher } = await busyBatcher({ defaultTimeoutMs: 10, maxQueueSize: 1 });
    void ask(batcher, 'waits');
    expect(await outcomeOf(ask(batcher, 'refused'))).toBe('queue_full');
    await vi.advanceTimersByTimeAsync(10);
    void ask(batcher, 'has room');
    expect(batcher.queued).toBe(1);
  });

  test('a request whose instance died under it is tried again, however long it ran', async () => {
    const { batcher, runner } = await busyBatcher({ defaultTimeoutMs: 10 });
    await finishNext(runner);
    const answer = ask(batcher, 'unlucky');
    await someTurns();
    await vi.advanceTimersByTimeAsync(50);
    runner.batch(1).fail(new RunnerGone(new Error('out of heap')));
    await someTurns();
    const other = new FakeRunner();
    // Somebody else's time is over meanwhile, so that all who wait are looked at.
    const impatient = ask(batcher, 'impatient');
    await vi.advanceTimersByTimeAsync(50);
    expect(await outcomeOf(impatient)).toBe('queue_timeout');
    batcher.addRunner(other);
    await someTurns();
    other.batch(0).finish();
    expect(await outcomeOf(answer)).toBe('unlucky');
  });
});

describe("a request's own timeout", () => {
  const outcomes = async (policy: Partial<QueuePolicy>, timeoutMs: number): Promise<number> => {
    const { batcher } = await busyBatcher(policy);
    const start = performance.now();
    let expiredMs = Infinity;
    ask(batcher, 'own', { timeoutMs }).catch(() => {
      expiredMs = performance.now() - start;
    });
    await vi.advanceTimersByTimeAsync(1000);
    return expiredMs;
  };

  test('shortens the default', async () => {
    expect(await outcomes({ defaultTimeoutMs: 100, allowTimeoutOverride: true }, 20)).toBe(20);
  });

  test('never makes it longer', async () => {
    expect(await outcomes({ defaultTimeoutMs: 100, allowTimeoutOverride: true }, 500)).toBe(100);
  });

  test('counts where there is no default', async () => {
    expect(await outcomes({ allowTimeoutOverride: true }, 20)).toBe(20);
  });

  test('is of no effect where the policy does not allow it', async () => {
    expect(await outcomes({ defaultTimeoutMs: 100 }, 20)).toBe(100);
    expect(await outcomes({}, 20)).toBe(Infinity);
  });

  test('of 0 is none', async () => {
    expect(await outcomes({ defaultTimeoutMs: 100, allowTimeoutOverride: true }, 0)).toBe(100);
  });
});

describe('DELAY', () => {
  const DELAY = { timeoutAction: 'DELAY', defaultTimeoutMs: 10 } as const;

  test('has a request that waited for the timeout run after the others of its level', async () => {
    const { batcher, runner } = await busyBatcher(DELAY);
    const late = ask(batcher, 'late');
    await vi.advanceTimersByTimeAsync(10);
    void ask(batcher, 'a');
    void ask(batcher, 'b');
    for (let count = 0; count < 4; count++) await finishNext(runner);
    expect(runner.names).toEqual([['blocker'], ['a'], ['b'], ['late']]);
    expect(await outcomeOf(late)).toBe('late');
  });

  test('keeps it before the levels below', async () => {
    const { batcher, runner } = await busyBatcher(DELAY, { priorityLevels: 2, defaultPriorityLevel: 1 });
    void ask(batcher, 'late');
    await vi.advanceTimersByTimeAsync(10);
    void ask(batcher, 'below', { priority: 2 });
    void ask(batcher, 'same level');
    for (let count = 0; count < 4; count++) await finishNext(runner);
    expect(runner.names).toEqual([['blocker'], ['same level'], ['late'], ['below']]);
  });

  test('lets it fill up a batch that has room', async () => {
    const { batcher, runner } = await busyBatcher(DELAY, { maxRows: 2 });
    void ask(batcher, 'late');
    await vi.advanceTimersByTimeAsync(10);
    void ask(batcher, 'a');
    await finishNext(runner);
    expect(runner.names).toEqual([['blocker'], ['a', 'late']]);
  });

  test.each(['one lane', 'another lane'])(
    'never starves it, however many come after it, in %s',
    async (where) => {
      const { batcher, runner } = await busyBatcher(DELAY);
      void ask(batcher, 'late', where === 'one lane' ? {} : { lane: 'other' });
      await vi.advanceTimersByTimeAsync(10);
      let passedBy = 0;
      void ask(batcher, 'newcomer');
      while (!runner.names.flat().includes('late') && passedBy < 100) {
        void ask(batcher, 'newcomer');
        await finishNext(runner);
        passedBy += 1;
      }
      expect(passedBy).toBe(9);
    },
  );

  test('ends with its deadline all the same', async () => {
    const { batcher } = await busyBatcher(DELAY);
    const answer = ask(batcher, 'late', { deadlineMs: performance.now() + 30 });
    await vi.advanceTimersByTimeAsync(29);
    expect(batcher.queued).toBe(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(await outcomeOf(answer)).toBe('expired_in_queue');
  });

  test('lets it hang up', async () => {
    const { batcher, runner } = await busyBatcher(DELAY);
    const caller = new AbortController();
    const answer = ask(batcher, 'late', { signal: caller.signal });
    await vi.advanceTimersByTimeAsync(10);
    caller.abort();
    expect(await outcomeOf(answer)).toBe('cancelled');
    await finishNext(runner);
    expect(runner.names).toEqual([['blocker']]);
  });
});
