import { lstat, readFile, readdir, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parseYaml } from '../../../documents/yaml-document.ts';
import { createKey } from '../../../gateway/trust/api-key.ts';
import { KeyRing } from '../../../gateway/trust/key-ring.ts';
import { KeysEditor } from '../../../gateway/trust/keys-editor.ts';
import type { Grant } from '../../../gateway/trust/key-store.ts';
import { readKeys } from '../../../gateway/trust/keys-file.ts';
import { refusals } from '../../documents/refusals.ts';
import { temporaryFolder } from '../../models/temporary-folder.ts';

const grant: Grant = {
  name: 'Ada',
  scopes: ['infer'],
  models: [],
  rate: undefined,
  concurrency: undefined,
  daily: undefined,
  priority: undefined,
  expires: undefined,
};

async function ringOf(file: string): Promise<KeyRing> {
  return new KeyRing(readKeys(parseYaml(await readFile(file, 'utf8'), file)));
}

describe('an edit of keys.yaml', () => {
  test('makes the file where there is none, for its owner only', async () => {
    await using folder = await temporaryFolder({});
    const file = join(folder.path, 'keys.yaml');
    const key = createKey();
    const editor = await KeysEditor.open(file);
    editor.add(key, { ...grant, models: ['digits'], rate: '5/s', expires: '2027-01-31' });
    await editor.save();
    expect((await ringOf(file)).check(key.text, 0)).toMatchObject({
      kind: 'known',
      key: {
        name: 'Ada',
        models: new Set(['digits']),
        limits: { rate: { limit: 5 } },
        expiresAtMs: Date.UTC(2027, 0, 31),
      },
    });
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect(await readFile(file, 'utf8')).not.toContain(key.text.slice(-43));
  });

  test('keeps what people wrote into it, and its mode', async () => {
    const first = createKey();
    const text = `# who may call\nkeys:\n  # the nightly job\n  - { id: ${JSON.stringify(first.id)}, hash: ${first.hash}, scopes: [infer] }\n`;
    await using folder = await temporaryFolder({ 'keys.yaml': text });
    const file = join(folder.path, 'keys.yaml');
    await writeFile(file, text, { mode: 0o640 });
    const before = (await stat(file)).mode;
    const editor = await KeysEditor.open(file);
    editor.add(createKey(), grant);
    await editor.save();
    const after = await readFile(file, 'utf8');
    expect(after).toContain('# who may call');
    expect(after).toContain('# the nightly job');
    expect((await stat(file)).mode).toBe(before);
    expect((await ringOf(file)).keys).toHaveLength(2);
    expect(await readdir(folder.path)).toEqual(['keys.yaml']);
  });

  test.each(['a list that is there', 'none yet'])(
    'through a link is written where the link leads, and the link stays: %s',
    async (what) => {
      await using folder = await temporaryFolder({ 'shared/readme': '' });
      const real = join(folder.path, 'shared', 'keys.yaml');
      if (what !== 'none yet') await writeFile(real, 'keys: []\n', { mode: 0o640 });
      const link = join(folder.path, 'keys.yaml');
      await symlink(join('shared', 'keys.yaml'), link);
      const editor = await KeysEditor.open(link);
      editor.add(createKey(), grant);
      await editor.save();
      expect((await lstat(link)).isSymbolicLink()).toBe(true);
      expect((await ringOf(real)).keys).toHaveLength(1);
      expect(await readdir(join(folder.path, 'shared'))).toEqual(['keys.yaml', 'readme']);
    },
  );

  test('a key whose id looks like a number stays a text', async () => {
    await using folder = await temporaryFolder({});
    const file = join(folder.path, 'keys.yaml');
    const editor = await KeysEditor.open(file);
    editor.add({ ...createKey(), id: '12345e6789' }, grant);
    editor.add({ ...createKey(), id: '0123456789' }, grant);
    await editor.save();
    expect((await ringOf(file)).keys.map(({ id }) => id)).toEqual(['12345e6789', '0123456789']);
  });

  test('rotation has both keys open, the first until its end, with the same rights', async () => {
    await using folder = await temporaryFolder({});
    const file = join(folder.path, 'keys.yaml');
    const [old, fresh] = [createKey(), createKey()];
    const editor = await KeysEditor.open(file);
    editor.add(old, { ...grant, models: ['digits'] });
    editor.rotate(old.id, fresh, '2027-01-31T00:00:00.000Z');
    await editor.save();
    const ring = await ringOf(file);
    const end = Date.UTC(2027, 0, 31);
    expect(ring.check(old.text, end - 1).kind).toBe('known');
    expect(ring.check(old.text, end).kind).toBe('expired');
    expect(ring.check(fresh.text, end)).toMatchObject({
      kind: 'known',
      key: { models: new Set(['digits']) },
    });
  });

  test('rotation never makes a key live longer than it would have', async () => {
    await using folder = await temporaryFolder({});
    const file = join(folder.path, 'keys.yaml');
    const old = createKey();
    const editor = await KeysEditor.open(file);
    editor.add(old, { ...grant, expires: '2026-12-01' });
    editor.rotate(old.id, createKey(), '2027-01-31');
    await editor.save();
    expect((await ringOf(file)).check(old.text, Date.UTC(2026, 11, 1)).kind).toBe('expired');
  });

  test('revocation takes the key away, and one that is not there is an error that names those that are', async () => {
    await using folder = await temporaryFolder({});
    const file = join(folder.path, 'keys.yaml');
    const [ada, bob] = [createKey(), createKey()];
    const editor = await KeysEditor.open(file);
    editor.add(ada, grant);
    editor.add(bob, grant);
    editor.remove(ada.id);
    await editor.save();
    expect((await ringOf(file)).keys.map(({ id }) => id)).toEqual([bob.id]);
    expect(() => {
      editor.remove(ada.id);
    }).toThrow(`has no key ${ada.id}; it has ${bob.id}`);
  });

  test('a file that is not right is left as it is', async () => {
    const text = 'keys:\n  - { id: abcd }\n';
    await using folder = await temporaryFolder({ 'keys.yaml': text });
    const file = join(folder.path, 'keys.yaml');
    expect(await refusals(() => KeysEditor.open(file))).toHaveLength(2);
    expect(await readFile(file, 'utf8')).toBe(text);
  });
});
