import { rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { addingModel } from '../../models/small-models.ts';
import { temporaryFolder } from '../../models/temporary-folder.ts';
import { addendOf, lentSlabsOf, modelPath, openRepository, settle } from './open-repository.ts';
import { eventuallyHolds } from '../../eventually-holds.ts';

describe('a refresh', () => {
  test('that finds nothing new changes nothing', async () => {
    await using opened = await openRepository({
      'm/1/model.onnx': addingModel(1),
      'broken/1/model.onnx': 'text',
    });
    const before = opened.ready('m', 1);
    opened.events.onVersion.mockClear();
    await settle(opened);
    expect(opened.ready('m', 1)).toBe(before);
    expect(opened.events.onVersion).not.toHaveBeenCalled();
  });

  test('serves a version and a model that are new', async () => {
    await using opened = await openRepository({ 'm/1/model.onnx': addingModel(1) });
    await opened.root.write({ 'm/2/model.onnx': addingModel(2), 'n/1/model.onnx': addingModel(3) });
    await settle(opened);
    expect(
      opened.repository.index().map(({ name, version, state }) => `${name}/${version} ${state}`),
    ).toEqual(['m/1 READY', 'm/2 READY', 'n/1 READY']);
    expect(await addendOf(opened.ready('m', 2))).toBe(2);
  });

  test('leaves a file alone that still changes, and takes it when two looks saw the same', async () => {
    await using opened = await openRepository({ 'm/1/model.onnx': addingModel(1) });
    const whole = addingModel(2);
    for (const length of [10, 20, whole.length]) {
      await opened.root.write({
        'm/2/model.onnx': whole.slice(0, length),
        'm/1/model.onnx': whole.slice(0, length),
      });
      await opened.repository.refresh();
      expect(opened.stateOf('m', 2)).toBeUndefined();
      expect(opened.stateOf('m', 1)).toBe('READY');
      expect(await addendOf(opened.ready('m', 1))).toBe(1);
    }
    await opened.repository.refresh();
    expect(await addendOf(opened.ready('m', 1))).toBe(2);
    expect(await addendOf(opened.ready('m', 2))).toBe(2);
  });

  test('swaps a changed file, and the version before it ends when nobody holds it', async () => {
    await using opened = await openRepository({ 'm/1/model.onnx': addingModel(1) });
    const before = opened.ready('m', 1);
    const release = before.hold();
    await opened.root.write({ 'm/1/model.onnx': addingModel(2) });
    await settle(opened);
    expect(await addendOf(opened.ready('m', 1))).toBe(2);
    expect(await addendOf(before)).toBe(1);
    release();
    await eventuallyHolds(async () => {
      await expect(addendOf(before)).rejects.toMatchObject({ fault: 'unavailable' });
    });
  });

  test('keeps the last good one where its replacement fails, with the reason in the index', async () => {
    await using opened = await openRepository({ 'm/1/model.onnx': addingModel(1) });
    await opened.root.write({ 'm/1/model.onnx': 'not an ONNX model' });
    await settle(opened);
    expect(opened.stateOf('m', 1)).toMatch(/^READY failed to load .*m\/1\/model\.onnx: /);
    expect(await addendOf(opened.ready('m', 1))).toBe(1);
    await opened.root.write({ 'm/1/model.onnx': addingModel(2) });
    await settle(opened);
    expect(opened.stateOf('m', 1)).toBe('READY');
    expect(await addendOf(opened.ready('m', 1))).toBe(2);
  });

  test('keeps the last good one where its file is gone but its folder is not', async () => {
    await using opened = await openRepository({ 'm/1/model.onnx': addingModel(1) });
    await rm(modelPath(opened.root, 'm', 1));
    await settle(opened);
    expect(opened.stateOf('m', 1)).toBe(
      `READY there is no file ${modelPath(opened.root, 'm', 1)}; expected an ONNX model of that name`,
    );
    expect(await addendOf(opened.ready('m', 1))).toBe(1);
  });

  test('serves a version that failed as soon as it is mended', async () => {
    await using opened = await openRepository({ 'm/1/model.onnx': 'not an ONNX model' });
    await opened.root.write({ 'm/1/model.onnx': addingModel(1) });
    await settle(opened);
    expect(opened.stateOf('m', 1)).toBe('READY');
  });

  test('unloads a version whose folder is gone, after its holders have let go', async () => {
    await using opened = await openRepository({
      'm/1/model.onnx': addingModel(1),
      'm/2/model.onnx': addingModel(2),
    });
    const removed = opened.ready('m', 2);
    const release = removed.hold();
    await rm(join(opened.root.path, 'm/2'), { recursive: true });
    await opened.repository.refresh();
    expect(opened.ready('m', 2)).toBe(removed);
    await opened.repository.refresh();
    expect(opened.repository.model('m')?.versions).toEqual([1]);
    expect(opened.stateOf('m', 2)).toBe('UNLOADING');
    expect(opened.repository.model('m')?.highestReady?.about.version).toBe(1);
    expect(opened.events.onVersion).toHaveBeenLastCalledWith('m', 2, 'unloaded');
    expect(await addendOf(removed)).toBe(2);
    release();
    await eventuallyHolds(async () => {
      await expect(addendOf(removed)).rejects.toMatchObject({ fault: 'unavailable' });
    });
    await eventuallyHolds(() => {
      expect(opened.stateOf('m', 2)).toBeUndefined();
    });
  });

  test('forgets a model whose folder is gone', async () => {
    await using opened = await openRepository({
      'm/1/model.onnx': addingModel(1),
      'n/1/model.onnx': addingModel(2),
    });
    await rm(join(opened.root.path, 'n'), { recursive: true });
    await opened.repository.refresh();
    expect(opened.repository.models.map(({ name }) => name)).toEqual(['m', 'n']);
    await opened.repository.refresh();
    expect(opened.repository.models.map(({ name }) => name)).toEqual(['m']);
  });

  test('loads a model again when its configuration or its labels are edited', async () => {
    await using opened = await openRepository({
      'm/1/model.onnx': addingModel(1),
      'm/config.yaml': 'signalbox: { labels: l.txt }',
      'm/l.txt': 'a\n',
    });
    await opened.root.write({ 'm/config.yaml': 'max_batch_size: 3\nsignalbox: { labels: l.txt }' });
    await settle(opened);
    expect(opened.ready('m', 1).about.maxBatchSize).toBe(3);
    await opened.root.write({ 'm/l.txt': 'b\n' });
    await settle(opened);
    expect(opened.ready('m', 1).about.labels).toEqual(['b']);
  });

  test('keeps what serves where the configuration is edited into nonsense', async () => {
    await using opened = await openRepository({
      'm/1/model.onnx': addingModel(1),
      'm/config.yaml': 'max_batch_size: 3',
    });
    await opened.root.write({ 'm/config.yaml': 'max_batch_size: three' });
    await settle(opened);
    expect(opened.stateOf('m', 1)).toMatch(/^READY .*config\.yaml:1:17: max_batch_size: is "three"/);
    expect(opened.ready('m', 1).about.maxBatchSize).toBe(3);
    expect(await addendOf(opened.ready('m', 1))).toBe(1);
  });

  test('joins one that is under way', async () => {
    await using opened = await openRepository({ 'm/1/model.onnx': addingModel(1) });
    await opened.root.write({ 'm/2/model.onnx': addingModel(2) });
    await opened.repository.refresh();
    opened.events.onVersion.mockClear();
    await Promise.all([opened.repository.refresh(), opened.repository.refresh()]);
    expect(opened.events.onVersion.mock.calls).toEqual([['m', 2, 'ready']]);
  });

  test('that cannot read the repository fails, and what is served goes on', async () => {
    await using opened = await openRepository({ 'm/1/model.onnx': addingModel(1) });
    const away = `${opened.root.path}-away`;
    await rename(opened.root.path, away);
    await expect(opened.repository.refresh()).rejects.toThrow(opened.root.path);
    expect(await addendOf(opened.ready('m', 1))).toBe(1);
    await rename(away, opened.root.path);
    await opened.repository.refresh();
    expect(opened.stateOf('m', 1)).toBe('READY');
  });
});

test('twenty swaps under load lose no answer, and each answer is whole', async () => {
  await using opened = await openRepository({ 'm/1/model.onnx': addingModel(0) });
  await using staging = await temporaryFolder();
  const versions = new Set([opened.ready('m', 1)]);
  let isOver = false;
  let answered = 0;
  const seen = new Set<number>();

  const caller = async (): Promise<void> => {
    while (!isOver) {
      const version = opened.ready('m', 1);
      versions.add(version);
      const release = version.hold();
      const answer = await version.infer({
        inputs: [{ name: 'INPUT', datatype: 'FP32', shape: [1, 2], data: Float32Array.of(1000, 2000) }],
        deadlineMs: Infinity,
      });
      const [sums = []] = answer.outputs.map(({ data }) => Array.from(data, Number));
      answer.release();
      release();
      const addend = Number(sums[0]) - 1000;
      expect(sums).toEqual([1000 + addend, 2000 + addend]);
      seen.add(addend);
      answered += 1;
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  const callers = Promise.all(Array.from({ length: 16 }, caller));
  for (let swap = 1; swap <= 20; swap++) {
    const next = join(staging.path, 'next.onnx');
    await writeFile(next, addingModel(swap));
    await rename(next, modelPath(opened.root, 'm', 1));
    await settle(opened);
    expect(await addendOf(opened.ready('m', 1))).toBe(swap);
  }
  // The callers have to come by once more to see the last one.
  await eventuallyHolds(() => {
    expect(seen).toContain(20);
  });
  isOver = true;
  await callers;
  expect(answered).toBeGreaterThan(20 * 16);
  expect([...seen].sort((a, b) => a - b)).toEqual(Array.from({ length: 21 }, (_, addend) => addend));
  expect([...versions].map((version) => lentSlabsOf(version) + version.queued)).toEqual(Array(21).fill(0));
});
