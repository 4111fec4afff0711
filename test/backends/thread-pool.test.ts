import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ThreadDied, ThreadPool } from '../../backends/thread-pool.ts';
import type { ThreadTask } from '../../backends/thread-pool.ts';
import type { TestJob } from './jobs-thread.ts';

let pool: ThreadPool<TestJob, TestJob>;
beforeEach(() => {
  const script = new URL('./jobs-thread.ts', import.meta.url);
  pool = new ThreadPool({ script, size: 1, mostWaiting: 2 });
});
afterEach(() => pool.close());

function taskOf(job: TestJob, fields: Partial<ThreadTask<TestJob>> = {}): ThreadTask<TestJob> {
  return { toJob: () => [job, []], deadlineMs: Infinity, signal: undefined, ...fields };
}

const echo = (value: number): TestJob => ({ kind: 'echo', value: Uint8Array.of(value) });

/** Keeps the only thread busy until it is opened. */
function holdThread(): { readonly open: () => Promise<TestJob> } {
  const gate = new Int32Array(new SharedArrayBuffer(4));
  const held = pool.run(taskOf({ kind: 'hold', gate }));
  return {
    open: () => {
      Atomics.store(gate, 0, 1);
      Atomics.notify(gate, 0);
      return held;
    },
  };
}

test('a job that a thread dies of fails alone: those behind it are done by another thread', async () => {
  const [died, ...others] = await Promise.allSettled([
    pool.run(taskOf({ kind: 'die' })),
    pool.run(taskOf(echo(1))),
    pool.run(taskOf(echo(2))),
  ]);
  expect(died).toMatchObject({ status: 'rejected', reason: new ThreadDied('this job is too much') });
  expect(others.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled']);
  expect(pool.threads).toBe(1);
});

test('a job that can not be made costs no thread', async () => {
  const detached = new ArrayBuffer(8);
  structuredClone(detached, { transfer: [detached] });
  const unmade = taskOf(echo(1), {
    toJob: () => {
      throw new RangeError('there is no memory for it');
    },
  });
  await expect(pool.run(unmade)).rejects.toThrow('there is no memory for it');
  await expect(pool.run(taskOf(echo(1), { toJob: () => [echo(1), [detached]] }))).rejects.toMatchObject({
    name: 'DataCloneError',
  });
  await expect(pool.run(taskOf(echo(3)))).resolves.toEqual(echo(3));
});

describe('a job that waits while the threads are busy', () => {
  test('is given up when its caller hangs up', async () => {
    const thread = holdThread();
    const caller = new AbortController();
    const waiting = pool.run(taskOf(echo(1), { signal: caller.signal }));
    caller.abort();
    await expect(waiting).rejects.toMatchObject({ fault: 'cancelled' });
    await thread.open();
  });

  test('is given up when its time is over', async () => {
    const thread = holdThread();
    const waiting = pool.run(taskOf(echo(1), { deadlineMs: performance.now() + 20 }));
    await expect(waiting).rejects.toMatchObject({ fault: 'expired_in_queue' });
    await thread.open();
  });

  test('is refused where as many wait as may, and those that left make room', async () => {
    const thread = holdThread();
    const caller = new AbortController();
    const left = pool.run(taskOf(echo(1), { signal: caller.signal }));
    const stays = pool.run(taskOf(echo(2)));
    await expect(pool.run(taskOf(echo(3)))).rejects.toMatchObject({ fault: 'threads_busy' });
    caller.abort();
    await expect(left).rejects.toMatchObject({ fault: 'cancelled' });
    const comes = pool.run(taskOf(echo(4)));
    await thread.open();
    expect(await Promise.all([stays, comes])).toEqual([echo(2), echo(4)]);
  });
});
