import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../models/temporary-folder.ts';
import { signalbox } from './cli.ts';

/** Runs a command to its end. */
async function keys(...args: readonly string[]): Promise<{ code: unknown; stdout: string; stderr: string }> {
  await using running = signalbox('keys', ...args);
  return { code: await running.ended, stdout: running.stdout(), stderr: running.stderr() };
}

test('keys are made, listed without their secrets, rotated and revoked', async () => {
  await using folder = await temporaryFolder({});
  const file = join(folder.path, 'keys.yaml');
  const created = await keys('create', '-f', file, '--name', 'Ada', '--scopes', 'infer,override');
  expect(created.code).toBe(0);
  const [, id = ''] = /^sb_([a-z0-9]+)_[A-Za-z0-9_-]{43}\n$/.exec(created.stdout) ?? [];
  expect(id).not.toBe('');

  const rotated = await keys('rotate', id, '-f', file, '--json');
  const fresh = JSON.parse(rotated.stdout) as { id: string; key: string; replaces: string };
  expect(fresh.replaces).toBe(id);

  const listed = await keys('list', '-f', file);
  expect(listed.stdout).toContain(id);
  expect(listed.stdout).toContain(fresh.id);
  expect(listed.stdout).not.toContain(fresh.key.slice(-43));

  expect((await keys('revoke', id, '-f', file)).code).toBe(0);
  const text = await readFile(file, 'utf8');
  expect(text).toContain(fresh.id);
  expect(text).not.toContain(id);
  const again = await keys('revoke', id, '-f', file);
  expect(again.code).toBe(1);
  expect(again.stderr).toContain(`has no key ${id}; it has ${fresh.id}`);
});

test('wrong usage says what would be right, and writes nothing', async () => {
  await using folder = await temporaryFolder({});
  const file = join(folder.path, 'keys.yaml');
  const wrong = await keys('create', '-f', file, '--name', 'Ada', '--scopes', 'infer,root');
  expect(wrong.code).toBe(2);
  expect(wrong.stderr).toContain('"root" is no scope; expected some of infer,override');
  await expect(readFile(file)).rejects.toThrow('ENOENT');
});

test('keys of a configuration are in its file, or in its state store', async () => {
  await using folder = await temporaryFolder({
    'signalbox.yaml':
      'listen: { http: 127.0.0.1:0 }\nmodels: { repository: . }\nstate: sqlite:./state.db\nauth: { keys: state }\n',
  });
  const place = ['--config', join(folder.path, 'signalbox.yaml')] as const;
  const created = await keys('create', ...place, '--name', 'Ada', '--scopes', 'infer', '--json');
  expect(created.stderr).toBe('');
  const { id, key } = JSON.parse(created.stdout) as { id: string; key: string };
  const listed = JSON.parse((await keys('list', ...place, '--json')).stdout) as { keys: object[] };
  expect(listed.keys).toMatchObject([{ id, name: 'Ada', scopes: ['infer'], priority: 'normal' }]);
  expect(JSON.stringify(listed)).not.toContain(key.slice(-43));
});
