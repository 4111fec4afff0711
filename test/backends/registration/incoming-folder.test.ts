import { spawnSync } from 'node:child_process';
import { mkdir, readdir, rename, utimes } from 'node:fs/promises';
import { hostname } from 'node:os';
import { basename, join } from 'node:path';
import { expect, test } from 'vitest';
import {
  makeIncomingFolder,
  notePlaced,
  removeIncomingFolders,
} from '../../../backends/registration/incoming-folder.ts';
import { temporaryFolder } from '../../models/temporary-folder.ts';

const HOUR = 3_600_000;

/** The pid of a process that is gone. */
const GONE = spawnSync(process.execPath, ['--version']).pid;

test('what a process that died has left is removed, and nothing that another one may be writing', async () => {
  await using root = await temporaryFolder({ 'm/1/model.onnx': 'a model', '.hidden/file': 'not ours' });
  const ours = await makeIncomingFolder(root.path);
  const name = basename(ours);
  const renamed = async (to: string): Promise<string> => {
    const path = join(root.path, to);
    await rename(await makeIncomingFolder(root.path), path);
    await root.write({ [`${to}/model/1/model.onnx`]: 'half a model' });
    return path;
  };
  const dead = await renamed(name.replace(`-${process.pid}-`, `-${GONE}-`));
  await renamed(name.replace(`-${process.pid}-`, `-${process.ppid}-`));
  await renamed(name.replace(hostname().replace(/[^A-Za-z0-9]+/g, '_'), 'another'));
  const before = await readdir(root.path);
  expect(new Set(await removeIncomingFolders([root.path], Date.now()))).toEqual(new Set([ours, dead]));
  expect(await readdir(root.path)).toEqual(
    before.filter((entry) => ![ours, dead].map((path) => basename(path)).includes(entry)),
  );
});

test('what nobody has written to for a day is removed, whoever left it', async () => {
  await using root = await temporaryFolder();
  const old = join(root.path, '.incoming-another-1-abcdef');
  await mkdir(old);
  const now = Date.now();
  expect(await removeIncomingFolders([root.path], now)).toEqual([]);
  await utimes(old, new Date(now - 25 * HOUR), new Date(now - 25 * HOUR));
  expect(await removeIncomingFolders([root.path], now)).toEqual([old]);
  expect(await readdir(root.path)).toEqual([]);
});

test('a version that was not loaded yet when its process died goes too, and nothing else of its model', async () => {
  await using root = await temporaryFolder({
    'm/1/model.onnx': 'x',
    'm/2/model.onnx': 'x',
    'n/1/model.onnx': 'x',
  });
  for (const place of ['m/2', 'n', '../elsewhere', 'm/../../elsewhere'])
    await notePlaced(await makeIncomingFolder(root.path), place);
  const removed = await removeIncomingFolders([root.path], Date.now());
  expect(removed.filter((path) => !path.includes('.incoming-')).sort()).toEqual([
    join(root.path, 'm/2'),
    join(root.path, 'n'),
  ]);
  expect((await readdir(root.path, { recursive: true })).sort()).toEqual(['m', 'm/1', 'm/1/model.onnx']);
});
