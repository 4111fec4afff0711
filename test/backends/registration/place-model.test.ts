import { mkdtemp, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { placeModel } from '../../../backends/registration/place-model.ts';
import { temporaryFolder } from '../../models/temporary-folder.ts';

/** A disk of its own, which no file is renamed to from the temporary folder. */
const OTHER_DISK = '/dev/shm';
const disks = await Promise.all(
  [OTHER_DISK, tmpdir()].map((folder) =>
    stat(folder).then(
      ({ dev }) => dev,
      () => undefined,
    ),
  ),
);

const offer = {
  modelName: 'add',
  version: undefined,
  labels: undefined,
  image: undefined,
  notes: [],
  write: (folder: string) => writeFile(join(folder, 'model.onnx'), 'a model'),
};
const wished = { name: 'add', maxBatchSize: undefined, maxQueueDelayMs: undefined, instances: undefined };

describe.skipIf(disks[0] === undefined || disks[0] === disks[1])(`a second disk (${OTHER_DISK})`, () => {
  test('a version comes to a model whose folder is a link there', async () => {
    await using repository = await temporaryFolder();
    const disk = await mkdtemp(join(OTHER_DISK, 'signalbox-'));
    try {
      await symlink(disk, join(repository.path, 'add'));
      const placed = await placeModel(repository.path, [repository.path], offer, wished);
      expect(placed).toMatchObject({ version: 1, isNewModel: false });
      expect(await readdir(join(disk, '1'))).toEqual(['model.onnx']);
      expect(await readdir(repository.path)).toEqual(['add']);
    } finally {
      await rm(disk, { recursive: true });
    }
  });
});
