import { expect, test } from 'vitest';
import { ExperimentFiles } from '../../../gateway/reload/experiment-files.ts';
import { temporaryFolder } from '../../models/temporary-folder.ts';
import { experiment } from './watched-folder.ts';

test('a version that went while it was served does not keep the process that comes after a crash from serving', async () => {
  await using folder = await temporaryFolder({ 'a.yaml': experiment() });
  const opened = () => new ExperimentFiles({ folder: folder.path, knownVersions: () => [1] });
  await expect(opened().load()).rejects.toThrow('has no such version');
  const files = opened();
  await files.load(true);
  expect(files.current.byKey.get('a')?.variants.map(({ name }) => name)).toEqual(['v1', 'v2']);
  expect(await files.refresh()).toEqual({ changed: [], refused: [] });
});
