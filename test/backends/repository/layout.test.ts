import { utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { scanRepository } from '../../../backends/repository/layout.ts';
import { temporaryFolder } from '../../models/temporary-folder.ts';

test('a model is a folder, and its versions are its folders whose names are whole numbers > 0', async () => {
  await using root = await temporaryFolder({
    'digits/10/model.onnx': 'x',
    'digits/9/model.onnx': 'x',
    'digits/0/model.onnx': 'x',
    'digits/01/model.onnx': 'x',
    'digits/-1/model.onnx': 'x',
    'digits/1.5/model.onnx': 'x',
    'digits/v2/model.onnx': 'x',
    'digits/notes/model.onnx': 'x',
    'digits/3': 'a file, not a folder',
    'README.md': 'no model',
  });
  const models = await scanRepository(root.path);
  expect(models).toMatchObject([
    { name: 'digits', directory: join(root.path, 'digits'), configFile: undefined, fault: undefined },
  ]);
  expect(models.flatMap(({ versions }) => versions.map(({ version }) => version))).toEqual([9, 10]);
});

test('hidden files and folders are nobody’s models', async () => {
  await using root = await temporaryFolder({
    '.git/1/model.onnx': 'x',
    '..data/1/model.onnx': 'x',
    'a/.1/model.onnx': 'x',
  });
  expect(await scanRepository(root.path)).toMatchObject([{ name: 'a', versions: [] }]);
});

test('models come in the order of their names', async () => {
  await using root = await temporaryFolder({
    'b/1/model.onnx': 'x',
    'c/1/model.onnx': 'x',
    'a/1/model.onnx': 'x',
  });
  expect((await scanRepository(root.path)).map(({ name }) => name)).toEqual(['a', 'b', 'c']);
});

test('a version without its model.onnx is there, with no fingerprint', async () => {
  await using root = await temporaryFolder({
    'digits/1/weights.bin': 'x',
    'digits/2/model.onnx/inside': 'x',
  });
  const [model] = await scanRepository(root.path);
  expect(model?.versions).toEqual([
    { version: 1, modelFile: join(root.path, 'digits/1/model.onnx'), fingerprint: undefined },
    { version: 2, modelFile: join(root.path, 'digits/2/model.onnx'), fingerprint: undefined },
  ]);
});

test('a fingerprint stays while the file does, and changes with its size or its time', async () => {
  await using root = await temporaryFolder({ 'digits/1/model.onnx': 'one' });
  const fingerprint = async (): Promise<string | undefined> =>
    (await scanRepository(root.path))[0]?.versions[0]?.fingerprint;
  const file = join(root.path, 'digits/1/model.onnx');
  await utimes(file, 1000, 1000);
  const first = await fingerprint();
  expect(await fingerprint()).toBe(first);
  await utimes(file, 1000, 1001);
  const later = await fingerprint();
  await root.write({ 'digits/1/model.onnx': 'longer' });
  await utimes(file, 1000, 1001);
  expect(new Set([first, later, await fingerprint()]).size).toBe(3);
});

test.each(['with space', 'ünïcode', '-dash-first', '_first', 'a'.repeat(64), 'semi;colon'])(
  'the folder name "%s" is refused as the name of a model',
  async (name) => {
    await using root = await temporaryFolder({ [`${name}/1/model.onnx`]: 'x' });
    expect((await scanRepository(root.path))[0]?.fault).toBe(
      `the folder's name can't be a model's: letters, digits, ".", "_" and "-", 63 characters at most`,
    );
  },
);

test.each(['digits', 'Digits-2.1_b', '0', 'a'.repeat(63)])('the folder name "%s" is fine', async (name) => {
  await using root = await temporaryFolder({ [`${name}/1/model.onnx`]: 'x' });
  expect(await scanRepository(root.path)).toMatchObject([{ name, fault: undefined }]);
});

test('a config.yaml is found; a config.pbtxt is refused by name, and so are both together', async () => {
  await using root = await temporaryFolder({
    'a/config.yaml': '{}',
    'b/config.pbtxt': '',
    'c/config.yaml': '{}',
    'c/config.pbtxt': '',
  });
  const models = await scanRepository(root.path);
  expect(models.map(({ configFile }) => configFile)).toEqual([
    join(root.path, 'a/config.yaml'),
    undefined,
    join(root.path, 'c/config.yaml'),
  ]);
  expect(models.map(({ fault }) => fault)).toEqual([
    undefined,
    'config.pbtxt is not read by this release; write the same fields, with the same names, into a config.yaml',
    'there are a config.yaml and a config.pbtxt; expected one of the two',
  ]);
});

test('a repository that is not there is an error with its path', async () => {
  await expect(scanRepository('/nowhere/models')).rejects.toThrow('/nowhere/models');
});
