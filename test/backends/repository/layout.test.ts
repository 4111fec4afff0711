import { utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { DEFAULT_MODEL_CONFIG } from '../../../backends/repository/model-config.ts';
import { scanRepository, versionFault } from '../../../backends/repository/layout.ts';
import type { ModelFolder } from '../../../backends/repository/layout.ts';
import { temporaryFolder } from '../../models/temporary-folder.ts';

function foldersIn(root: string): readonly ModelFolder[] {
  return scanRepository(root).folders;
}

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
  const models = foldersIn(root.path);
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
  expect(foldersIn(root.path)).toMatchObject([{ name: 'a', versions: [] }]);
});

test('models come in the order of their names', async () => {
  await using root = await temporaryFolder({
    'b/1/model.onnx': 'x',
    'c/1/model.onnx': 'x',
    'a/1/model.onnx': 'x',
  });
  expect(foldersIn(root.path).map(({ name }) => name)).toEqual(['a', 'b', 'c']);
});

test('a version is all the files in its folder; one without its model says so', async () => {
  await using root = await temporaryFolder({
    'digits/1/weights.bin': 'x',
    'digits/2/model.onnx/inside': 'x',
    'digits/3/model.onnx': 'x',
    'digits/3/weights/a.bin': 'x',
    'digits/3/.hidden': 'x',
  });
  const [model] = foldersIn(root.path);
  expect(model?.versions.map(({ files }) => files.map(({ path }) => path))).toEqual([
    ['weights.bin'],
    ['model.onnx/inside'],
    ['model.onnx', 'weights/a.bin'],
  ]);
  expect(model?.versions.map((version) => versionFault(version, DEFAULT_MODEL_CONFIG))).toEqual([
    `there is no file ${join(root.path, 'digits/1/model.onnx')}; expected an ONNX model of that name`,
    `there is no file ${join(root.path, 'digits/2/model.onnx')}; expected an ONNX model of that name`,
    undefined,
  ]);
});

test('a fingerprint stays while the file does, and changes with its size or its time', async () => {
  await using root = await temporaryFolder({ 'digits/1/model.onnx': 'one' });
  const fingerprint = (): string | undefined => foldersIn(root.path)[0]?.versions[0]?.fingerprint;
  const file = join(root.path, 'digits/1/model.onnx');
  await utimes(file, 1000, 1000);
  const first = fingerprint();
  expect(fingerprint()).toBe(first);
  await utimes(file, 1000, 1001);
  const later = fingerprint();
  await root.write({ 'digits/1/model.onnx': 'longer' });
  await utimes(file, 1000, 1001);
  expect(new Set([first, later, fingerprint()]).size).toBe(3);
});

test.each(['with space', 'ünïcode', '-dash-first', '_first', 'a'.repeat(64), 'semi;colon'])(
  'the folder name "%s" is refused as the name of a model',
  async (name) => {
    await using root = await temporaryFolder({ [`${name}/1/model.onnx`]: 'x' });
    expect(foldersIn(root.path)[0]?.fault).toBe(
      `the folder's name can't be a model's: letters, digits, ".", "_" and "-", 63 characters at most`,
    );
  },
);

test.each(['digits', 'Digits-2.1_b', '0', 'a'.repeat(63)])('the folder name "%s" is fine', async (name) => {
  await using root = await temporaryFolder({ [`${name}/1/model.onnx`]: 'x' });
  expect(foldersIn(root.path)).toMatchObject([{ name, fault: undefined }]);
});

test('a config.yaml or a config.pbtxt is found; both together are refused', async () => {
  await using root = await temporaryFolder({
    'a/config.yaml': '{}',
    'b/config.pbtxt': '',
    'c/config.yaml': '{}',
    'c/config.pbtxt': '',
  });
  const models = foldersIn(root.path);
  expect(models.slice(0, 2).map(({ configFile }) => configFile)).toEqual([
    join(root.path, 'a/config.yaml'),
    join(root.path, 'b/config.pbtxt'),
  ]);
  expect(models.map(({ fault }) => fault)).toEqual([
    undefined,
    undefined,
    'there are a config.yaml and a config.pbtxt; expected one of the two',
  ]);
});

test('a repository that is not there is an error with its path', () => {
  expect(() => scanRepository('/nowhere/models')).toThrow('/nowhere/models');
});
