import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createKey } from '../../../gateway/trust/api-key.ts';
import { WatchedKeys } from '../../../gateway/trust/watched-keys.ts';
import { refusals } from '../../documents/refusals.ts';
import { temporaryFolder } from '../../models/temporary-folder.ts';

const [ada, bob] = [createKey(), createKey()];
const entry = ({ id, hash }: { id: string; hash: string }): string =>
  `  - { id: "${id}", hash: "${hash}", scopes: [infer] }\n`;
const both = `keys:\n${entry(ada)}${entry(bob)}`;

test('a revoked key opens nothing once two looks have seen the file without it', async () => {
  await using folder = await temporaryFolder({ 'keys.yaml': both });
  const keys = await WatchedKeys.open(join(folder.path, 'keys.yaml'));
  expect(keys.ring.check(bob.text, 0).kind).toBe('known');
  await folder.write({ 'keys.yaml': `keys:\n${entry(ada)}` });
  expect(await keys.refresh()).toEqual({ kind: 'same' });
  expect(keys.ring.check(bob.text, 0).kind).toBe('known');
  expect(await keys.refresh()).toEqual({ kind: 'changed', count: 1 });
  expect(keys.ring.check(bob.text, 0).kind).toBe('unknown');
  expect(keys.ring.check(ada.text, 0).kind).toBe('known');
});

test('a file that is being written never counts half', async () => {
  await using folder = await temporaryFolder({ 'keys.yaml': both });
  const keys = await WatchedKeys.open(join(folder.path, 'keys.yaml'));
  for (const part of ['', 'keys:\n', `keys:\n${entry(ada)}`, both]) {
    await folder.write({ 'keys.yaml': part });
    expect(await keys.refresh()).toEqual({ kind: 'same' });
  }
  expect(await keys.refresh()).toEqual({ kind: 'same' });
  expect(keys.ring.keys).toHaveLength(2);
});

test('a bad edit, or a file that is gone, is told once, and the last good keys stay', async () => {
  await using folder = await temporaryFolder({ 'keys.yaml': both });
  const keys = await WatchedKeys.open(join(folder.path, 'keys.yaml'));
  await folder.write({ 'keys.yaml': 'keys: [{ id: x }]' });
  await keys.refresh();
  const look = await keys.refresh();
  expect(look).toMatchObject({ kind: 'refused' });
  expect(await keys.refresh()).toEqual({ kind: 'same' });
  await rm(keys.file);
  await keys.refresh();
  expect(await keys.refresh()).toMatchObject({ kind: 'refused' });
  expect(keys.ring.check(bob.text, 0).kind).toBe('known');
});

test('at the start a file that is missing or wrong is refused', async () => {
  await using folder = await temporaryFolder({ 'bad.yaml': 'keys: 1' });
  expect(await refusals(() => WatchedKeys.open(join(folder.path, 'none.yaml')))).toEqual([
    expect.stringContaining("none.yaml: can't be read: ENOENT"),
  ]);
  expect(await refusals(() => WatchedKeys.open(join(folder.path, 'bad.yaml')))).toHaveLength(1);
});

test('a process that takes over from one that died goes on with its keys where the file is bad by then, and says so', async () => {
  await using folder = await temporaryFolder({ 'keys.yaml': `keys:\n${entry(ada)}` });
  const file = join(folder.path, 'keys.yaml');
  let inForce = '';
  const onGood = (text: string): void => {
    inForce = text;
  };
  const before = await WatchedKeys.open(file, undefined, onGood);
  await folder.write({ 'keys.yaml': both });
  await before.refresh();
  await before.refresh();
  expect(inForce).toBe(both);
  await folder.write({ 'keys.yaml': 'keys: [{ id: x }]' });
  const keys = await WatchedKeys.open(file, inForce, onGood);
  expect(keys.ring.check(bob.text, 0).kind).toBe('known');
  await keys.refresh();
  expect(await keys.refresh()).toMatchObject({ kind: 'refused' });
  // One that is good by then holds at once: who was revoked meanwhile stays out.
  await folder.write({ 'keys.yaml': `keys:\n${entry(ada)}` });
  expect((await WatchedKeys.open(file, inForce, onGood)).ring.check(bob.text, 0).kind).toBe('unknown');
});
