import { realpath, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { linkedFile } from '../../documents/linked-file.ts';
import { temporaryFolder } from '../models/temporary-folder.ts';

test('a path stands for the file that its links lead to, also where that is not there yet', async () => {
  await using folder = await temporaryFolder({ 'real/there': 'text' });
  const at = (...names: string[]): string => join(folder.path, ...names);
  await symlink('real', at('current'));
  await symlink(join('current', 'there'), at('link'));
  await symlink('link', at('link-of-a-link'));
  await symlink(join('real', 'new'), at('to-be-made'));
  const real = await realpath(at('real'));
  expect(await linkedFile(at('link-of-a-link'))).toBe(join(real, 'there'));
  expect(await linkedFile(at('current', 'there'))).toBe(join(real, 'there'));
  expect(await linkedFile(at('to-be-made'))).toBe(at('real', 'new'));
  expect(await linkedFile(at('nothing'))).toBe(at('nothing'));
});

test('links in a circle are refused', async () => {
  await using folder = await temporaryFolder();
  await symlink('b', join(folder.path, 'a'));
  await symlink('a', join(folder.path, 'b'));
  await expect(linkedFile(join(folder.path, 'a'))).rejects.toThrow('ELOOP');
});
