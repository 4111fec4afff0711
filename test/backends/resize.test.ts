import { expect, test } from 'vitest';
import type { ModelVersion } from '../../backends/model-version.ts';
import { addingModel } from '../models/small-models.ts';
import { loadVersion } from './load-version.ts';
import { eventuallyHolds } from '../eventually-holds.ts';

async function ask(version: ModelVersion): Promise<readonly number[]> {
  const answer = await version.infer({
    inputs: [{ name: 'INPUT', datatype: 'FP32', shape: [1, 2], data: Float32Array.of(1, 2) }],
    deadlineMs: Infinity,
  });
  const values = answer.outputs.flatMap(({ data }) => Array.from(data, Number));
  answer.release();
  return values;
}

test('the number of instances changes under load, and no request is lost', async () => {
  await using loaded = await loadVersion(addingModel(10));
  const { version } = loaded;
  let isOver = false;
  let answered = 0;
  const caller = async (): Promise<void> => {
    while (!isOver) {
      expect(await ask(version)).toEqual([11, 12]);
      answered += 1;
    }
  };
  const callers = Promise.all(Array.from({ length: 16 }, caller));
  for (const count of [3, 1, 2, 4, 1]) {
    await version.resize(count);
    expect(version.instances).toEqual({ ready: count, hung: 0, wanted: count });
    const before = answered;
    await eventuallyHolds(() => {
      expect(answered).toBeGreaterThan(before + 100);
    });
  }
  isOver = true;
  await callers;
  expect([version.queued, version.lentSlabs]).toEqual([0, 0]);
});

test('changes that are asked for at once are made one after the other', async () => {
  await using loaded = await loadVersion(addingModel(10));
  const { version } = loaded;
  await Promise.all([version.resize(3), version.resize(1), version.resize(2)]);
  expect(version.instances).toEqual({ ready: 2, hung: 0, wanted: 2 });
  expect(await ask(version)).toEqual([11, 12]);
});

test('a version has at least one instance', async () => {
  await using loaded = await loadVersion(addingModel(10));
  await expect(loaded.version.resize(0)).rejects.toThrow(
    'a version has a whole number of instances > 0, not 0',
  );
  expect(loaded.version.instances.ready).toBe(1);
});

test('closing waits for a change under way, and leaves no worker behind', async () => {
  const loaded = await loadVersion(addingModel(10));
  const resized = loaded.version.resize(3);
  await Promise.all([resized.catch(() => undefined), loaded[Symbol.asyncDispose]()]);
  await expect(loaded.version.resize(5)).rejects.toThrow("version 1 of 'tested' is closed");
});
