import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { KnownVersions } from '../../../experiments/definition.ts';
import { ExperimentFiles } from '../../../gateway/reload/experiment-files.ts';
import type { ExperimentText } from '../../../gateway/reload/experiment-files.ts';
import { temporaryFolder } from '../../models/temporary-folder.ts';
import { experiment } from './watched-folder.ts';

/** The files of a folder as a process that died had them in force, and what takes over from it. */
async function served(
  path: string,
  knownVersions: KnownVersions = () => [1, 2],
): Promise<{ readonly died: ExperimentFiles; readonly takesOver: (now?: KnownVersions) => ExperimentFiles }> {
  let inForce: readonly ExperimentText[] = [];
  const onInForce = (files: readonly ExperimentText[]): void => {
    inForce = files;
  };
  const died = new ExperimentFiles({ folder: path, knownVersions, onInForce });
  await died.load();
  return {
    died,
    takesOver(now = knownVersions) {
      const files = new ExperimentFiles({ folder: path, knownVersions: now });
      // As it comes from another process.
      files.resume(structuredClone(inForce));
      return files;
    },
  };
}

const weightOf = (files: ExperimentFiles): number | undefined =>
  files.current.byKey.get('a')?.variants.find(({ name }) => name === 'v2')?.weight;

test('a version that went while it was served does not keep the process that comes after a crash from serving', async () => {
  await using folder = await temporaryFolder({ 'a.yaml': experiment() });
  const { takesOver } = await served(folder.path);
  const onlyFirst = (): readonly number[] => [1];
  await expect(new ExperimentFiles({ folder: folder.path, knownVersions: onlyFirst }).load()).rejects.toThrow(
    'has no such version',
  );
  const files = takesOver(onlyFirst);
  expect(files.current.byKey.get('a')?.variants.map(({ name }) => name)).toEqual(['v1', 'v2']);
  expect(await files.refresh()).toEqual({ changed: [], refused: [] });
});

test('of a file that is bad when a process takes over the last good version stays, and the file is refused as it was before', async () => {
  await using folder = await temporaryFolder({ 'a.yaml': experiment() });
  const { died, takesOver } = await served(folder.path);
  await folder.write({ 'a.yaml': experiment({ weight: 20 }) });
  await died.refresh();
  expect((await died.refresh()).changed).toHaveLength(1);
  await folder.write({ 'a.yaml': experiment({ weight: -1 }) });
  const files = takesOver();
  expect(weightOf(files)).toBe(20);
  await files.refresh();
  expect((await files.refresh()).refused).toHaveLength(1);
  expect(weightOf(files)).toBe(20);
  await folder.write({ 'a.yaml': experiment({ weight: 30 }) });
  await files.refresh();
  expect((await files.refresh()).changed).toHaveLength(1);
  expect(weightOf(files)).toBe(30);
});

test('so it is where the folder itself is gone when a process takes over', async () => {
  await using folder = await temporaryFolder({ 'experiments/a.yaml': experiment() });
  const path = join(folder.path, 'experiments');
  const { takesOver } = await served(path);
  await rename(path, join(folder.path, 'elsewhere'));
  const files = takesOver();
  expect((await files.refresh()).refused).toHaveLength(1);
  expect(weightOf(files)).toBe(10);
});

test('what was held to when it started is still in force, with the secrets of the file, and the edit is refused again', async () => {
  const withHeader = (control: string, weight: number): string =>
    `key: a\nmodel: a\nstatus: running\ncontrol: ${control}\nvariants:\n` +
    '  - { name: v1, version: 1, weight: 90 }\n' +
    `  - { name: v2, weight: ${weight}, upstream: { url: http://127.0.0.1:9, headers: { authorization: secret } } }\n`;
  await using folder = await temporaryFolder({ 'a.yaml': withHeader('v1', 10) });
  const first = await served(folder.path);
  const [kept] = first.died.written;
  // Another control is another experiment: that needs a new phase.
  await folder.write({ 'a.yaml': withHeader('v2', 10) });
  const { died, takesOver } = await served(folder.path);
  await died.holdTo(() => Promise.resolve(kept));
  const files = takesOver();
  const { control, variants } = files.current.byKey.get('a') ?? {};
  expect(control?.name).toBe('v1');
  expect(variants?.[1]).toMatchObject({ upstream: { headers: { authorization: 'secret' } } });
  expect(files.written).toMatchObject([{ definition: kept?.definition, digest: kept?.digest }]);
  await files.refresh();
  expect((await files.refresh()).refused).toEqual((await died.refresh()).refused);
});
