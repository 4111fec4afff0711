import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { RunnerGone } from '../../../backends/batching/runner.ts';
import { BackendError } from '../../../backends/errors.ts';
import { FakeRunner, ask, batcherOf, outcomeOf, someTurns } from './fake-runner.ts';

beforeEach(() => {
  vi.useFakeTimers({
    toFake: ['setTimeout', 'clearTimeout', 'performance'],
  });
});

afterEach(() => {
  vi.useRealTimers();
});

async function turn(): Promise<void> {
  await someTurns();
}

const gone = (): RunnerGone => new RunnerGone(new Error('out of heap'));

describe('draining', () => {
  test('answers all that run and wait, then resolves', async () => {
    const { batcher } = batcherOf({ maxRows: 1 });
    const runner = new FakeRunner();
    batcher.addRunner(runner);
    const answers = ['a', 'b', 'c'].map((name) => ask(batcher, name));
    await turn();
    const onDrained = vi.fn();
    void batcher.drain().then(onDrained);
    for (const index of [0, 1, 2]) {
      await turn();
      expect(onDrained).not.toHaveBeenCalled();
      runner.batch(index).finish();
    }
    await turn();
    expect(onDrained).toHaveBeenCalledOnce();
    expect(await Promise.all(answers.map(outcomeOf))).toEqual(['a', 'b', 'c']);
  });

  test('resolves at once where there is nothing to answer', async () => {
    const { batcher } = batcherOf();
    batcher.addRunner(new FakeRunner());
    await expect(batcher.drain()).resolves.toBeUndefined();
  });

  test('takes no new request', async () => {
    const { batcher } = batcherOf();
    batcher.addRunner(new FakeRunner());
    void batcher.drain();
    await expect(ask(batcher, 'new')).rejects.toMatchObject({
      fault: 'unavailable',
      message: 'the version is being unloaded',
    });
  });

  test('waits for the run of a caller that hung up: the model still writes to its memory', async () => {
    const { batcher } = batcherOf();
    const runner = new FakeRunner();
    batcher.addRunner(runner);
    const caller = new AbortController();
    void ask(batcher, 'gone', { signal: caller.signal });
    await turn();
    caller.abort();
    const onDrained = vi.fn();
    void batcher.drain().then(onDrained);
    await turn();
    expect(onDrained).not.toHaveBeenCalled();
    runner.batch(0).finish();
    await turn();
    expect(onDrained).toHaveBeenCalledOnce();
  });

  test('is over when the last one that waits hangs up', async () => {
    const { batcher } = batcherOf();
    const caller = new AbortController();
    void ask(batcher, 'waits', { signal: caller.signal });
    const drained = batcher.drain();
    caller.abort();
    await expect(drained).resolves.toBeUndefined();
  });

  test('leaves no timer behind', async () => {
    const { batcher } = batcherOf({ maxQueueDelayMs: 20 });
    const runner = new FakeRunner();
    batcher.addRunner(runner);
    void ask(batcher, 'a', { deadlineMs: performance.now() + 60_000 });
    await vi.advanceTimersByTimeAsync(1);
    const drained = batcher.drain();
    await turn();
    runner.batch(0).finish();
    await drained;
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('a runner that dies under a batch', () => {
  test('is given no more work, and its batch is run again elsewhere, each alone, ahead of those that came later', async () => {
    const { batcher } = batcherOf({ maxRows: 2 });
    const [mortal, other] = [new FakeRunner(), new FakeRunner()];
    batcher.addRunner(mortal);
    const answers = ['a', 'b'].map((name) => ask(batcher, name));
    await vi.advanceTimersByTimeAsync(1);
    answers.push(...['c', 'd'].map((name) => ask(batcher, name)));
    await turn();
    mortal.batch(0).fail(gone());
    await turn();
    batcher.addRunner(other);
    await turn();
    for (const index of [0, 1, 2]) {
      other.batch(index).finish();
      await turn();
    }
    expect(await Promise.all(answers.map(outcomeOf))).toEqual(['a', 'b', 'c', 'd']);
    expect([mortal.names, other.names]).toEqual([[['a', 'b']], [['a'], ['b'], ['c', 'd']]]);
  });

  test('fails its batch when the second runner dies under it too', async () => {
    const { batcher } = batcherOf({ maxRows: 1 });
    const runners = [new FakeRunner(), new FakeRunner(), new FakeRunner()] as const;
    for (const runner of runners) batcher.addRunner(runner);
    const poison = ask(batcher, 'poison');
    await turn();
    runners[0].batch(0).fail(gone());
    await turn();
    runners[1].batch(0).fail(gone());
    await turn();
    await expect(poison).rejects.toMatchObject({ fault: 'run_failed', message: 'out of heap' });
    expect(runners[2].batches).toHaveLength(0);
  });

  test('takes its neighbours with it once only: the second time it is alone', async () => {
    const { batcher } = batcherOf({ maxRows: 8 });
    const runners = [new FakeRunner(), new FakeRunner(), new FakeRunner()] as const;
    batcher.addRunner(runners[0]);
    const answers = ['a', 'poison', 'b'].map((name) => ask(batcher, name));
    await turn();
    runners[0].batch(0).fail(gone());
    await turn();
    batcher.addRunner(runners[1]);
    await turn();
    runners[1].batch(0).finish();
    await turn();
    runners[1].batch(1).fail(gone());
    await turn();
    batcher.addRunner(runners[2]);
    await turn();
    runners[2].batch(0).finish();
    expect(await Promise.all(answers.map(outcomeOf))).toEqual(['a', 'run_failed', 'b']);
  });

  test('does not have the ones run again that hung up in the meantime', async () => {
    const { batcher } = batcherOf();
    const [mortal, other] = [new FakeRunner(), new FakeRunner()];
    batcher.addRunner(mortal);
    batcher.addRunner(other);
    const caller = new AbortController();
    const hungUp = ask(batcher, 'hung up', { signal: caller.signal });
    const stays = ask(batcher, 'stays');
    await turn();
    caller.abort();
    mortal.batch(0).fail(gone());
    await turn();
    other.batch(0).finish();
    expect(other.names).toEqual([['stays']]);
    expect(await Promise.all([hungUp, stays].map(outcomeOf))).toEqual(['cancelled', 'stays']);
  });

  test('does not turn the order of the requests round when another one died before it', async () => {
    const { batcher } = batcherOf({ maxRows: 1 });
    const [first, second, other] = [new FakeRunner(), new FakeRunner(), new FakeRunner()];
    batcher.addRunner(first);
    batcher.addRunner(second);
    void ask(batcher, 'older');
    await vi.advanceTimersByTimeAsync(1);
    void ask(batcher, 'younger');
    await turn();
    first.batch(0).fail(gone());
    await turn();
    second.batch(0).fail(gone());
    await turn();
    batcher.addRunner(other);
    await turn();
    expect(other.names).toEqual([['older']]);
  });

  test('holds a drain up until its batch was answered elsewhere', async () => {
    const { batcher } = batcherOf();
    const [mortal, other] = [new FakeRunner(), new FakeRunner()];
    batcher.addRunner(mortal);
    const answer = ask(batcher, 'a');
    await turn();
    const onDrained = vi.fn();
    void batcher.drain().then(onDrained);
    mortal.batch(0).fail(gone());
    await turn();
    expect(onDrained).not.toHaveBeenCalled();
    batcher.addRunner(other);
    await turn();
    other.batch(0).finish();
    expect(await outcomeOf(answer)).toBe('a');
    await turn();
    expect(onDrained).toHaveBeenCalledOnce();
  });
});

test('a runner that dies while it is idle gets no work', async () => {
  const { batcher } = batcherOf();
  const [dead, alive] = [new FakeRunner(), new FakeRunner()];
  batcher.addRunner(dead);
  batcher.addRunner(alive);
  batcher.removeRunner(dead);
  void ask(batcher, 'a');
  await turn();
  expect([dead.names, alive.names]).toEqual([[], [['a']]]);
});

test('all that wait are failed when no runner is left, and those that run are not', async () => {
  const { batcher } = batcherOf({ maxRows: 1 });
  const runner = new FakeRunner();
  batcher.addRunner(runner);
  const running = ask(batcher, 'running');
  await turn();
  const waiting = [ask(batcher, 'a'), ask(batcher, 'b', { lane: 'other' })];
  batcher.failQueued(new BackendError('unavailable', 'no worker is left'));
  expect(await Promise.all(waiting.map(outcomeOf))).toEqual(['unavailable', 'unavailable']);
  runner.batch(0).finish();
  expect(await outcomeOf(running)).toBe('running');
});

describe('a runner that is retired', () => {
  test('finishes its batch and is given no more, while the others go on', async () => {
    const { batcher } = batcherOf({ maxRows: 1 });
    const [old, other] = [new FakeRunner(), new FakeRunner()];
    batcher.addRunner(old);
    const answers = ['a', 'b'].map((name) => ask(batcher, name));
    await turn();
    const onRetired = vi.fn();
    void batcher.retireRunner(old).then(onRetired);
    await turn();
    expect(onRetired).not.toHaveBeenCalled();
    old.batch(0).finish();
    await turn();
    expect(onRetired).toHaveBeenCalledOnce();
    batcher.addRunner(other);
    await turn();
    other.batch(0).finish();
    expect(await Promise.all(answers.map(outcomeOf))).toEqual(['a', 'b']);
    expect([old.names, other.names]).toEqual([[['a']], [['b']]]);
  });

  test('is given none where it was idle', async () => {
    const { batcher } = batcherOf();
    const runner = new FakeRunner();
    batcher.addRunner(runner);
    await batcher.retireRunner(runner);
    void ask(batcher, 'a');
    await turn();
    expect(runner.names).toEqual([]);
  });
});
