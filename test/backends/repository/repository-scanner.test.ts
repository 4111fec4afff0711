import { expect, test } from 'vitest';
import { RepositoryScanner } from '../../../backends/repository/repository-scanner.ts';
import { temporaryFolder } from '../../models/temporary-folder.ts';

test('a folder that nobody has touched is the same listing, and one that somebody has is another', async () => {
  await using root = await temporaryFolder({ 'm/1/model.onnx': 'x', 'm/warmup/data': 'x' });
  const scanner = new RepositoryScanner([root.path]);
  try {
    const first = await scanner.scan();
    expect(first[0]?.folders.map(({ name, versions }) => [name, versions.length])).toEqual([['m', 1]]);
    expect(await scanner.scan()).toBe(first);
    await root.write({ 'm/2/model.onnx': 'x' });
    // Two at once: each has what is there, and the next one is held against the last of them.
    const both = await Promise.all([scanner.scan(), scanner.scan()]);
    for (const listing of both) expect(listing[0]?.folders[0]?.versions).toHaveLength(2);
    expect(await scanner.scan()).toEqual(both[1]);
    const [before] = (await scanner.scan()).flatMap(({ folders }) => folders);
    await root.write({ 'm/config.yaml': 'max_batch_size: 1' });
    const [after] = (await scanner.scan()).flatMap(({ folders }) => folders);
    expect(after?.versions).toEqual(before?.versions);
    expect(after?.beside.fingerprint).not.toBe(before?.beside.fingerprint);
  } finally {
    await scanner.close();
  }
});

test('a folder that can not be read is told of, and is read once it can', async () => {
  await using root = await temporaryFolder();
  const scanner = new RepositoryScanner([`${root.path}/models`]);
  try {
    await expect(scanner.scan()).rejects.toThrow(`${root.path}/models`);
    await root.write({ 'models/m/1/model.onnx': 'x' });
    expect((await scanner.scan())[0]?.folders).toHaveLength(1);
  } finally {
    await scanner.close();
  }
});
