/** Runs that go on past their limit: products of large squares, which take the runtime longer than the test lets them. */
import { expect, test } from 'vitest';
import type { InferRequest } from '../../../backends/inference.ts';
import { lingeringModel, slowModel } from '../../models/small-models.ts';
import { loadVersion } from '../load-version.ts';
import { eventuallyHolds } from '../../eventually-holds.ts';

const SIDE = 256;
/** Takes well over {@link LIMIT}. */
const SLOW = slowModel(SIDE, 2500);
const LIMIT = { runLimitMs: 50 };

function request(): InferRequest {
  const data = new Float32Array(SIDE * SIDE);
  return {
    inputs: [{ name: 'INPUT', datatype: 'FP32', shape: [1, SIDE, SIDE], data }],
    deadlineMs: Infinity,
  };
}

const SAYS_HOW_LONG = { fault: 'expired_in_run', message: 'the model has not answered for 0.05 s' };

test('callers of a run that hangs are told at its limit; its memory is lent until it ends, and then it takes work again', async () => {
  await using loaded = await loadVersion(SLOW, { maxBatchSize: 8 }, undefined, LIMIT);
  const { version, events } = loaded;
  const callers = [version.infer(request()), version.infer(request())];
  for (const caller of callers) await expect(caller).rejects.toMatchObject(SAYS_HOW_LONG);
  expect(version.instances).toEqual({ ready: 0, hung: 1, wanted: 1 });
  expect(version.lentSlabs).toBe(1);
  await eventuallyHolds(() => {
    expect(version.instances).toEqual({ ready: 1, hung: 0, wanted: 1 });
  });
  expect(version.lentSlabs).toBe(0);
  expect(events.onHang.mock.calls).toEqual([
    ['tested', 1, 1, 1],
    ['tested', 1, 0, 1],
  ]);
  await expect(version.infer(request())).rejects.toMatchObject(SAYS_HOW_LONG);
  expect(events.onWorkerRestart).not.toHaveBeenCalled();
});

test('an instance that hangs gets no more work, and the others go on', async () => {
  await using loaded = await loadVersion(SLOW, { maxBatchSize: 1, instances: 2 }, undefined, LIMIT);
  const { version, events } = loaded;
  await expect(version.infer(request())).rejects.toMatchObject(SAYS_HOW_LONG);
  expect(version.instances).toEqual({ ready: 1, hung: 1, wanted: 2 });
  // The other instance runs it: the first is still busy.
  await expect(version.infer(request())).rejects.toMatchObject(SAYS_HOW_LONG);
  expect(events.onHang).toHaveBeenCalledWith('tested', 1, 2, 2);
});

test('a run that ended within its limit did not hang, though nobody saw to its answer until after it', async () => {
  // Longer than a busy machine may keep the worker from its short run.
  const limit = { runLimitMs: 500 };
  await using loaded = await loadVersion(lingeringModel(1), { maxBatchSize: 1 }, undefined, limit);
  const { version, events } = loaded;
  const input = { name: 'INPUT', datatype: 'FP32', shape: [1, 1], data: Float32Array.of(0) } as const;
  const answer = version.infer({ inputs: [input], deadlineMs: Infinity });
  await new Promise((resolve) => setImmediate(resolve));
  const fromMs = performance.now();
  while (performance.now() - fromMs < 2 * limit.runLimitMs);
  (await answer).release();
  expect(version.instances).toEqual({ ready: 1, hung: 0, wanted: 1 });
  expect(events.onHang).not.toHaveBeenCalled();
});

test('when all hang, those that wait and those that come are told at once', async () => {
  await using loaded = await loadVersion(SLOW, { maxBatchSize: 1 }, undefined, LIMIT);
  const { version } = loaded;
  const hangs = version.infer(request());
  const waits = version.infer(request());
  const told = {
    fault: 'unavailable',
    message: "model 'tested' version 1 is not ready: a run of each of its instances hangs",
  };
  await Promise.all([
    expect(hangs).rejects.toMatchObject(SAYS_HOW_LONG),
    expect(waits).rejects.toMatchObject(told),
  ]);
  await expect(version.infer(request())).rejects.toMatchObject(told);
});

test('of two instances the one that hangs is taken away, and the other serves on; the change does not wait for the run', async () => {
  // What a run costs is what its input says.
  const limit = { runLimitMs: 300 };
  await using loaded = await loadVersion(
    lingeringModel(12),
    { maxBatchSize: 1, instances: 2 },
    undefined,
    limit,
  );
  const { version, events } = loaded;
  const ask = async (cost: number): Promise<void> => {
    const input = { name: 'INPUT', datatype: 'FP32', shape: [1, 1], data: Float32Array.of(cost) } as const;
    (await version.infer({ inputs: [input], deadlineMs: Infinity })).release();
  };
  // Whichever instance comes first takes a short one, so that both ways round are met.
  for (const shortOnesFirst of [0, 1]) {
    for (let count = 0; count < shortOnesFirst; count++) await ask(0);
    await expect(ask(2000)).rejects.toMatchObject({ fault: 'expired_in_run' });
    expect(version.instances).toEqual({ ready: 1, hung: 1, wanted: 2 });
    await version.resize(1);
    expect(version.instances).toEqual({ ready: 1, hung: 0, wanted: 1 });
    await ask(0);
    await version.resize(2);
    expect(version.instances).toEqual({ ready: 2, hung: 0, wanted: 2 });
  }
  expect(events.onWorkerRestart).not.toHaveBeenCalled();
});
