import { rename, rm, symlink } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { formatProblem } from '../../../documents/problem.ts';
import { NOTHING_NEW, WatchedFolder, experiment } from './watched-folder.ts';

describe('a file that is removed', () => {
  test('takes its experiment with it', async () => {
    await using watched = await WatchedFolder.start({
      'a.yaml': experiment(),
      'b.yaml': experiment({ key: 'b' }),
    });
    await rm(watched.path('a.yaml'));
    const looks = [await watched.look(), await watched.look()];
    expect(looks.flatMap(({ changed }) => changed)).toEqual(['a.yaml']);
    expect(watched.weights).toEqual({ b: 10 });
    expect(await watched.look()).toEqual(NOTHING_NEW);
  });

  test('takes its experiment with it also where its last edit was refused', async () => {
    await using watched = await WatchedFolder.start({ 'a.yaml': experiment() });
    await watched.write({ 'a.yaml': experiment({ weight: -1 }) });
    await watched.lookTwice();
    await rm(watched.path('a.yaml'));
    await watched.look();
    await watched.look();
    expect(watched.weights).toEqual({});
  });

  test('and is back at the next look, as editors save, was never gone', async () => {
    await using watched = await WatchedFolder.start({ 'a.yaml': experiment() });
    await rename(watched.path('a.yaml'), watched.path('a.yaml~'));
    expect(await watched.look()).toEqual(NOTHING_NEW);
    expect(watched.weights).toEqual({ a: 10 });
    await watched.write({ 'a.yaml': experiment({ weight: 20 }) });
    expect(await watched.lookTwice()).toEqual({ changed: ['a.yaml'], refused: [], problems: [] });
    expect(watched.weights).toEqual({ a: 20 });
  });
});

test('a folder that goes missing is told once; what it held stays, and edits count again when it is back', async () => {
  await using watched = await WatchedFolder.start({ 'a.yaml': experiment() });
  const folder = watched.path('.');
  await rename(folder, `${folder}-away`);
  const report = await watched.files.refresh();
  expect(report).toMatchObject({ changed: [], refused: [{ file: folder }] });
  expect(report.refused[0]?.problems.map(formatProblem)).toEqual([
    expect.stringMatching(/can't be read: ENOENT/),
  ]);
  expect(await watched.look()).toEqual(NOTHING_NEW);
  expect(watched.weights).toEqual({ a: 10 });
  await rename(`${folder}-away`, folder);
  expect(await watched.look()).toEqual(NOTHING_NEW);
  await watched.write({ 'a.yaml': experiment({ weight: 20 }) });
  await watched.lookTwice();
  expect(watched.weights).toEqual({ a: 20 });
});

test('a file that can not be read is refused by its name, and does not hold up the others', async () => {
  await using watched = await WatchedFolder.start({
    'a.yaml': experiment(),
    'b.yaml': experiment({ key: 'b' }),
  });
  await rm(watched.path('b.yaml'));
  await symlink('nowhere', watched.path('b.yaml'));
  await watched.write({ 'a.yaml': experiment({ weight: 20 }) });
  const looks = [await watched.look(), await watched.look()];
  expect(looks.flatMap(({ changed }) => changed)).toEqual(['a.yaml']);
  expect(looks.flatMap(({ refused }) => refused)).toEqual(['b.yaml']);
  expect(watched.weights).toEqual({ a: 20, b: 10 });
});
