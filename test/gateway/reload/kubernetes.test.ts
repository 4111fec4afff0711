import { mkdir, rename, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { WatchedFolder, experiment } from './watched-folder.ts';

/** Mounts files as Kubernetes mounts a ConfigMap: each a link through `..data`, which is swapped by a rename. */
async function mountConfigMap(
  watched: WatchedFolder,
  release: string,
  texts: Readonly<Record<string, string>>,
): Promise<void> {
  await mkdir(watched.path(release));
  for (const [name, text] of Object.entries(texts)) await watched.write({ [join(release, name)]: text });
  await symlink(release, watched.path('..data_tmp'));
  await rename(watched.path('..data_tmp'), watched.path('..data'));
}

test('a Kubernetes ConfigMap that is swapped takes effect, and its own folders are no experiments', async () => {
  await using watched = await WatchedFolder.start({});
  await mountConfigMap(watched, '..2026_07_01', {
    'a.yaml': experiment(),
    'b.yaml': experiment({ key: 'b' }),
  });
  for (const name of ['a.yaml', 'b.yaml']) await symlink(join('..data', name), watched.path(name));
  expect(await watched.lookTwice()).toEqual({ changed: ['a.yaml', 'b.yaml'], refused: [], problems: [] });
  expect(watched.weights).toEqual({ a: 10, b: 10 });

  await mountConfigMap(watched, '..2026_07_02', {
    'a.yaml': experiment({ weight: 20 }),
    'b.yaml': experiment({ key: 'b' }),
  });
  await rm(watched.path('..2026_07_01'), { recursive: true });
  expect(await watched.lookTwice()).toEqual({ changed: ['a.yaml'], refused: [], problems: [] });
  expect(watched.weights).toEqual({ a: 20, b: 10 });
});
