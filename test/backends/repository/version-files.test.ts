import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { mkdir, rename, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { digestFiles, listFiles } from '../../../backends/repository/version-files.ts';
import { addingModel, externalAddingModel, weights } from '../../models/small-models.ts';
import { temporaryFolder } from '../../models/temporary-folder.ts';
import { addendOf, openRepository, settle } from './open-repository.ts';

describe('the digest of a version', () => {
  test('is what the command in docs/models.md prints', async () => {
    await using folder = await temporaryFolder({
      'model.onnx': addingModel(1),
      'weights/b.bin': 'b',
      'weights/a.bin': 'a'.repeat(1_000_000),
      '.hidden': 'x',
    });
    const command =
      "find -L . -type f -not -path '*/.*' -printf '%P\\n' | LC_ALL=C sort | xargs sha256sum | sha256sum";
    const printed = execFileSync('sh', ['-c', command], { cwd: folder.path, encoding: 'utf8' });
    expect(await digestFiles(folder.path, listFiles(folder.path))).toBe(printed.split(' ')[0]);
  });

  test('is that of its files, whatever version and model they stand in, and changes with each of them', async () => {
    await using opened = await openRepository({
      'm/1/model.onnx': externalAddingModel(),
      'm/1/weights.bin': weights(1),
      'm/2/model.onnx': externalAddingModel(),
      'm/2/weights.bin': weights(2),
      'n/7/weights.bin': weights(1),
      'n/7/model.onnx': externalAddingModel(),
    });
    const [one, two, seven] = [opened.ready('m', 1), opened.ready('m', 2), opened.ready('n', 7)].map(
      ({ about }) => about.digest,
    );
    expect(one).toMatch(/^[0-9a-f]{64}$/);
    expect(seven).toBe(one);
    expect(two).not.toBe(one);
  });
});

test('external weights are loaded, and a change of them alone is a change of the version', async () => {
  await using opened = await openRepository({
    'm/1/model.onnx': externalAddingModel(),
    'm/1/weights.bin': weights(5),
  });
  expect(await addendOf(opened.ready('m', 1))).toBe(5);
  await opened.root.write({ 'm/1/weights.bin': weights(6) });
  await settle(opened);
  expect(await addendOf(opened.ready('m', 1))).toBe(6);
});

test('weights that are still being copied leave the old version alone', async () => {
  await using opened = await openRepository({
    'm/1/model.onnx': externalAddingModel(),
    'm/1/weights.bin': weights(5),
  });
  const whole = weights(6);
  for (const length of [1, 2, 4]) {
    await opened.root.write({ 'm/1/weights.bin': whole.slice(0, length) });
    await opened.repository.refresh();
    expect(opened.stateOf('m', 1)).toBe('READY');
  }
  await opened.repository.refresh();
  expect(await addendOf(opened.ready('m', 1))).toBe(6);
  expect(opened.events.onVersion.mock.calls.map(([, , state]) => state)).toEqual(['ready', 'ready']);
});

test('files that change while they are loaded are loaded again, and nothing half-read takes traffic', async () => {
  await using opened = await openRepository({ 'm/1/model.onnx': addingModel(1) });
  await opened.root.write({ 'm/2/model.onnx': addingModel(2) });
  await opened.repository.refresh();
  const refreshed = opened.repository.refresh();
  // The version's files are listed, and it loads.
  while (opened.stateOf('m', 2) !== 'LOADING') await new Promise((resolve) => setImmediate(resolve));
  // At once: however long a write takes on a busy machine, the load can't end before it.
  writeFileSync(join(opened.root.path, 'm/2/model.onnx'), addingModel(3));
  writeFileSync(join(opened.root.path, 'm/2/more.bin'), 'x');
  await refreshed;
  expect(opened.stateOf('m', 2)).toBe(
    'UNAVAILABLE its files changed while it was loaded; what may be half of each takes no traffic',
  );
  await settle(opened);
  expect(await addendOf(opened.ready('m', 2))).toBe(3);
});

test('a Kubernetes volume, whose ..data link is swapped, is one change', async () => {
  await using opened = await openRepository({
    '..2026_01/m/1/model.onnx': addingModel(1),
    '..2026_01/m/config.yaml': 'max_batch_size: 4',
  });
  const { path } = opened.root;
  await symlink('..2026_01', join(path, '..data'));
  await symlink('..data/m', join(path, 'm'));
  await settle(opened);
  expect(await addendOf(opened.ready('m', 1))).toBe(1);
  await opened.root.write({
    '..2026_02/m/1/model.onnx': addingModel(2),
    '..2026_02/m/2/model.onnx': addingModel(3),
    '..2026_02/m/config.yaml': 'max_batch_size: 8',
  });
  await symlink('..2026_02', join(path, '..data_tmp'));
  await rename(join(path, '..data_tmp'), join(path, '..data'));
  await rm(join(path, '..2026_01'), { recursive: true });
  await settle(opened);
  expect(await addendOf(opened.ready('m', 1))).toBe(2);
  expect(await addendOf(opened.ready('m', 2))).toBe(3);
  expect(opened.ready('m', 1).about.maxBatchSize).toBe(8);
});

test('a file in a folder that links to the folder itself ends the walk', async () => {
  await using folder = await temporaryFolder({ 'model.onnx': 'x' });
  await mkdir(join(folder.path, 'inner'));
  await symlink('..', join(folder.path, 'inner/up'));
  const files = listFiles(folder.path);
  expect(files.length).toBeLessThan(10);
  expect(files.map(({ path }) => path)).toContain('model.onnx');
});
