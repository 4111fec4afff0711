import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Device } from '../../../backends/scheduling/device.ts';
import { Gathering } from '../../../backends/scheduling/gathering.ts';
import type { Gatherer } from '../../../backends/scheduling/gathering.ts';
import { FakeRunner, ask, batcherOf, someTurns } from '../batching/fake-runner.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
});

afterEach(() => {
  vi.useRealTimers();
});

const oneTurn = (): Promise<void> =>
  new Promise((resolve) => {
    setImmediate(resolve);
  });

describe('gathering', () => {
  const dispatched: string[] = [];
  const gatherer = (name: string, usedMs: number, isFull = false): Gatherer => ({
    usedMs,
    hasFullBatch: () => isFull,
    dispatch: () => dispatched.push(name),
  });

  beforeEach(() => {
    dispatched.length = 0;
  });

  test('ends with the turn where no more comes', async () => {
    const gathering = new Gathering();
    gathering.dispatchSoon(gatherer('a', 0), 1);
    expect(dispatched).toEqual([]);
    await oneTurn();
    expect(dispatched).toEqual(['a']);
  });

  test('goes on for four turns while each brings more', async () => {
    const gathering = new Gathering();
    const a = gatherer('a', 0);
    gathering.dispatchSoon(a, 1);
    for (let turn = 1; turn < 4; turn++) {
      gathering.dispatchSoon(a, 1);
      await oneTurn();
      expect(dispatched).toEqual([]);
    }
    gathering.dispatchSoon(a, 1);
    await oneTurn();
    expect(dispatched).toEqual(['a']);
  });

  test('ends at once for all when one has a full batch, and the one that has used least goes first', async () => {
    const gathering = new Gathering();
    const [much, little] = [gatherer('much', 90, true), gatherer('little', 10)];
    gathering.dispatchSoon(much, 1);
    gathering.dispatchSoon(little, 1);
    gathering.dispatchSoon(little, 1);
    await oneTurn();
    expect(dispatched).toEqual(['little', 'much']);
  });
});

test('a version with little traffic is sent along with one that has a full batch', async () => {
  const device = new Device(2);
  const [big, small] = [batcherOf({ device, maxRows: 4 }), batcherOf({ device, maxRows: 4 })];
  const [bigRunner, smallRunner] = [new FakeRunner(), new FakeRunner()];
  big.batcher.addRunner(bigRunner);
  small.batcher.addRunner(smallRunner);
  void ask(small.batcher, 'small');
  for (let count = 0; count < 4; count++) void ask(big.batcher, 'big');
  await oneTurn();
  expect([smallRunner.names, bigRunner.names]).toEqual([[['small']], [['big', 'big', 'big', 'big']]]);
});

test('of two versions that both have work, each gets every other run on one thread, though one has ten times the requests', async () => {
  const device = new Device(1);
  const [flooded, light] = [batcherOf({ device, maxRows: 4 }), batcherOf({ device, maxRows: 4 })];
  const runner = new FakeRunner();
  for (const { batcher } of [flooded, light]) {
    batcher.addRunner(runner);
    batcher.addRunner(runner);
  }
  for (let count = 0; count < 400; count++) void ask(flooded.batcher, 'flood');
  await someTurns();
  for (let count = 0; count < 40; count++) void ask(light.batcher, 'light');
  await someTurns();
  for (let run = 0; run < 20; run++) {
    expect(runner.batches).toHaveLength(run + 1);
    runner.batch(run).finish();
    await someTurns();
  }
  const lightRuns = runner.names.filter(([name]) => name === 'light').length;
  // Ten batches of four are all it has, and the flood has the run before the first of them.
  expect(lightRuns).toBe(10);
  expect(light.batcher.queued).toBe(0);
});
