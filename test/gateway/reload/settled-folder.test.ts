import { execFile } from 'node:child_process';
import { stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { SettledFolder } from '../../../gateway/reload/settled-folder.ts';
import { temporaryFolder } from '../../models/temporary-folder.ts';

const run = promisify(execFile);

/** A clock by which every file was left alone for long. */
const LATER = (): number => Date.now() + 60_000;

async function textsOf(folder: SettledFolder): Promise<readonly unknown[]> {
  await folder.look();
  return [...(await folder.look()).files.values()].map((state) =>
    state.kind === 'text' ? state.text : state.problem.message,
  );
}

test('an edit that keeps a file’s size and its time of change is seen', async () => {
  await using folder = await temporaryFolder({ 'a.yaml': 'one' });
  const file = join(folder.path, 'a.yaml');
  const settled = new SettledFolder(folder.path, LATER);
  await settled.open();
  expect(await textsOf(settled)).toEqual(['one']);
  const before = await stat(file, { bigint: true });
  // The file system's clock ticks.
  do {
    await writeFile(file, 'two');
    await utimes(file, before.atime, before.mtime);
  } while ((await stat(file, { bigint: true })).ctimeNs === before.ctimeNs);
  expect(await textsOf(settled)).toEqual(['two']);
});

test('a file of another name that is moved into its place is seen', async () => {
  await using folder = await temporaryFolder({ 'a.yaml': 'one', 'next/a.yaml': 'two' });
  const settled = new SettledFolder(folder.path, LATER);
  await settled.open();
  expect(await textsOf(settled)).toEqual(['one']);
  await run('mv', [join(folder.path, 'next/a.yaml'), join(folder.path, 'a.yaml')]);
  expect(await textsOf(settled)).toEqual(['two']);
});

test('a named pipe is refused, and not waited for', async () => {
  await using folder = await temporaryFolder({ 'a.yaml': 'one' });
  await run('mkfifo', [join(folder.path, 'b.yaml')]);
  const settled = new SettledFolder(folder.path);
  await settled.open();
  expect(await textsOf(settled)).toEqual(['one', "can't be read: it is not a file"]);
});
