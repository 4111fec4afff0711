import { afterEach, describe, expect, test, vi } from 'vitest';
import { CachedVersion } from '../../../backends/cache/cached-version.ts';
import type { CacheResult } from '../../../backends/cache/answer-store.ts';
import { MemoryAnswers } from '../../../backends/cache/memory-answers.ts';
import type { InferRequest } from '../../../backends/inference.ts';
import type { Servable } from '../../../backends/servable.ts';
import { lingeringModel, lookupModel } from '../../models/small-models.ts';
import { lentSlabsOf, openRepository } from '../repository/open-repository.ts';
import type { OpenedRepository } from '../repository/open-repository.ts';
import { eventuallyHolds } from '../../eventually-holds.ts';

function cached(opened: OpenedRepository, model: string, version = 1) {
  const results: CacheResult[] = [];
  const store = new MemoryAnswers({ maxBytes: 1e6, ttlMs: 60_000 });
  const inner = opened.ready(model, version);
  const served: Servable = new CachedVersion(inner, { store, onResult: (result) => results.push(result) });
  return { served, inner, store, results };
}

const asking = (value: number, more: Partial<InferRequest> = {}): InferRequest => ({
  inputs: [{ name: 'INPUT', datatype: 'FP32', shape: [1, 1], data: Float32Array.of(value) }],
  deadlineMs: Infinity,
  ...more,
});

async function valueOf(served: Servable, request: InferRequest): Promise<readonly [number, unknown]> {
  const answer = await served.infer(request);
  const value = Number(answer.outputs[0]?.data[0]);
  answer.release();
  return [value, answer.cache];
}

afterEach(() => {
  vi.useRealTimers();
});

test('the same request again is answered without a run, and another one is not', async () => {
  await using opened = await openRepository({ 'm/1/model.onnx': lingeringModel(1) });
  const { served, inner, results } = cached(opened, 'm');
  expect(await valueOf(served, asking(1))).toEqual([1, 'miss']);
  expect(await valueOf(served, asking(1, { outputs: ['OUTPUT'], priority: 2 }))).toEqual([1, 'hit']);
  expect(await valueOf(served, asking(2))).toEqual([2, 'miss']);
  expect(inner.statistics.executions).toBe(2);
  expect(results).toEqual(['miss', 'hit', 'miss']);
  expect(lentSlabsOf(inner)).toBe(0);
});

test('statistics count as Triton does: a hit is a success, and no run', async () => {
  await using opened = await openRepository({ 'm/1/model.onnx': lingeringModel(1) });
  const { served } = cached(opened, 'm');
  for (let count = 0; count < 3; count++) await valueOf(served, asking(1));
  expect(served.statistics).toMatchObject({
    inferences: 1,
    executions: 1,
    success: { count: 3 },
    cacheHit: { count: 2 },
    cacheMiss: { count: 1 },
  });
});

test('versions with the same file don’t share their answers', async () => {
  await using opened = await openRepository({
    'm/1/model.onnx': lingeringModel(1),
    'm/2/model.onnx': lingeringModel(1),
  });
  const store = new MemoryAnswers({ maxBytes: 1e6, ttlMs: 60_000 });
  const [one, two] = [1, 2].map(
    (version) => new CachedVersion(opened.ready('m', version), { store, onResult: vi.fn() }),
  );
  if (one === undefined || two === undefined) throw new Error('both are there');
  expect(one.about.digest).toBe(two.about.digest);
  expect([await valueOf(one, asking(1)), await valueOf(two, asking(1))]).toEqual([
    [1, 'miss'],
    [1, 'miss'],
  ]);
});

test('an error is not kept', async () => {
  await using opened = await openRepository({ 'm/1/model.onnx': lookupModel() });
  const { served, store } = cached(opened, 'm');
  const request: InferRequest = {
    inputs: [{ name: 'INPUT', datatype: 'INT64', shape: [1, 1], data: BigInt64Array.of(9n) }],
    deadlineMs: Infinity,
  };
  for (let count = 0; count < 2; count++)
    await expect(served.infer(request)).rejects.toMatchObject({ fault: 'run_failed' });
  expect(store.size).toBe(0);
});

describe('equal requests in flight', () => {
  test('run once', async () => {
    await using opened = await openRepository({ 'm/1/model.onnx': lingeringModel(2) });
    const { served, inner, results } = cached(opened, 'm');
    const answers = await Promise.all(Array.from({ length: 5 }, () => valueOf(served, asking(50))));
    expect(answers.map(([value]) => value)).toEqual([50, 50, 50, 50, 50]);
    expect(inner.statistics.executions).toBe(1);
    expect(results.toSorted()).toEqual(['miss', 'shared', 'shared', 'shared', 'shared']);
  });

  test('one that hangs up, even the first, leaves the run to the others', async () => {
    await using opened = await openRepository({ 'm/1/model.onnx': lingeringModel(2) });
    const { served, inner } = cached(opened, 'm');
    const first = new AbortController();
    const asked = [served.infer(asking(300, { signal: first.signal })), served.infer(asking(300))];
    first.abort();
    await expect(asked[0]).rejects.toMatchObject({ fault: 'cancelled' });
    expect(Number((await asked[1])?.outputs[0]?.data[0])).toBe(300);
    expect(inner.statistics.executions).toBe(1);
  });

  test('when all have hung up the run is given up', async () => {
    const config =
      'max_batch_size: 8\ndynamic_batching: { preferred_batch_size: [8], max_queue_delay_microseconds: 60000000 }';
    await using opened = await openRepository({
      'm/1/model.onnx': lingeringModel(1),
      'm/config.yaml': config,
    });
    const { served, inner } = cached(opened, 'm');
    const callers = [new AbortController(), new AbortController()];
    const asked = callers.map(({ signal }) => served.infer(asking(1, { signal })));
    await eventuallyHolds(() => {
      expect(inner.queued).toBe(1);
    });
    for (const caller of callers) caller.abort();
    for (const one of asked) await expect(one).rejects.toMatchObject({ fault: 'cancelled' });
    await eventuallyHolds(() => {
      expect(inner.queued).toBe(0);
    });
  });

  test('one whose time is over fails alone, and one that waited for the first’s run begins anew when that ran out of time', async () => {
    const config =
      'max_batch_size: 8\ndynamic_batching: { preferred_batch_size: [2], max_queue_delay_microseconds: 60000000 }';
    await using opened = await openRepository({
      'm/1/model.onnx': lingeringModel(1),
      'm/config.yaml': config,
    });
    const { served, inner } = cached(opened, 'm');
    // Time goes on as ever, but for the first's, which is over at once, when both are there.
    vi.useFakeTimers({ toFake: ['performance', 'setTimeout', 'clearTimeout'], shouldAdvanceTime: true });
    const short = served.infer(asking(1, { deadlineMs: performance.now() + 30_000 }));
    const long = served.infer(asking(1));
    await eventuallyHolds(() => {
      expect(inner.queued).toBe(1);
    });
    vi.advanceTimersByTime(30_000);
    await expect(short).rejects.toMatchObject({ fault: 'expired_in_queue' });
    // The run of the first ends by a timer of its own, and what it shares a batch with would end with it.
    await eventuallyHolds(() => {
      expect([inner.statistics.fail.count, inner.queued]).toEqual([1, 1]);
    });
    vi.useRealTimers();
    const other = inner.infer(asking(0));
    expect(Number((await long).outputs[0]?.data[0])).toBe(1);
    (await other).release();
  });
});
