import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { addingModel } from '../../models/small-models.ts';
import { openRepository, settle } from './open-repository.ts';
import type { OpenedRepository } from './open-repository.ts';

function versionsOf(count: number): Record<string, Uint8Array> {
  return Object.fromEntries(
    Array.from({ length: count }, (_, index) => [`m/${index + 1}/model.onnx`, addingModel(index + 1)]),
  );
}

function readyIn({ repository }: OpenedRepository): readonly number[] | undefined {
  return repository.model('m')?.ready.map(({ about }) => about.version);
}

test.each([
  ['all', 'version_policy: { all: {} }', [1, 2, 3, 4]],
  ['the latest', 'version_policy: { latest: {} }', [4]],
  ['the two latest', 'version_policy: { latest: { num_versions: 2 } }', [3, 4]],
  ['specific ones', 'version_policy: { specific: { versions: [3, 1] } }', [1, 3]],
])('%s of the versions are served', async (_, config, versions) => {
  await using opened = await openRepository({ ...versionsOf(4), 'm/config.yaml': config });
  expect(readyIn(opened)).toEqual(versions);
  expect(opened.repository.model('m')?.versions).toEqual(versions);
});

test('a specific version that is not there is unavailable with its reason, and the others serve', async () => {
  await using opened = await openRepository({
    ...versionsOf(2),
    'm/config.pbtxt': 'version_policy { specific { versions: [2, 7] } }',
  });
  expect(readyIn(opened)).toEqual([2]);
  expect(opened.stateOf('m', 7)).toBe('UNAVAILABLE version_policy names it, but there is no folder 7');
  await opened.root.write({ 'm/7/model.onnx': addingModel(7) });
  await settle(opened);
  expect(readyIn(opened)).toEqual([2, 7]);
});

test('a newer version takes the place of the latest, and one that fails leaves the last good one serving', async () => {
  await using opened = await openRepository({
    ...versionsOf(1),
    'm/config.yaml': 'version_policy: { latest: { num_versions: 1 } }',
  });
  await opened.root.write({ 'm/2/model.onnx': 'not an ONNX model' });
  await settle(opened);
  expect(readyIn(opened)).toEqual([1]);
  expect(opened.stateOf('m', 2)).toMatch(/^UNAVAILABLE failed to load /);
  await opened.root.write({ 'm/2/model.onnx': addingModel(2) });
  await settle(opened);
  expect(readyIn(opened)).toEqual([2]);
  expect(opened.repository.model('m')?.versions).toEqual([2]);
  await rm(join(opened.root.path, 'm/2'), { recursive: true });
  await settle(opened);
  expect(readyIn(opened)).toEqual([1]);
});

test('a policy that is edited takes effect on what is loaded', async () => {
  await using opened = await openRepository({ ...versionsOf(3), 'm/config.yaml': '{}' });
  await opened.root.write({ 'm/config.yaml': 'version_policy: { latest: { num_versions: 2 } }' });
  await settle(opened);
  expect(readyIn(opened)).toEqual([2, 3]);
});
