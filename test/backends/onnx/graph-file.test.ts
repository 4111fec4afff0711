import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { readGraphSignature } from '../../../backends/onnx/graph-file.ts';
import { CPU } from '../../../backends/onnx/providers/execution-provider.ts';
import { OnnxInstance } from '../../../backends/onnx/instance.ts';
import { encodeModel, identityModel } from '../../models/onnx-graph.ts';
import { externalAddingModel, identitiesModel, weights } from '../../models/small-models.ts';
import { temporaryFolder } from '../../models/temporary-folder.ts';

/** A graph of before 2019, whose weights stand among its inputs too. */
const LISTED_WEIGHTS = encodeModel({
  inputs: [
    { name: 'WEIGHTS', datatype: 'FP32', shape: [4] },
    { name: 'INPUT', datatype: 'FP32', shape: ['batch', 4] },
  ],
  outputs: [{ name: 'OUTPUT', datatype: 'FP32', shape: ['batch', 4] }],
  initializers: [{ name: 'WEIGHTS', shape: [4], data: Float32Array.of(1, 2, 3, 4) }],
  nodes: [{ op: 'Add', inputs: ['INPUT', 'WEIGHTS'], outputs: ['OUTPUT'] }],
});

const EVERY_TYPE = identitiesModel(
  (['FP32', 'FP16', 'FP64', 'INT8', 'INT64', 'UINT8', 'BOOL', 'BYTES'] as const).map((datatype) => ({
    input: `in ${datatype}`,
    output: `out ${datatype}`,
    datatype,
    shape: ['batch', 3, 'free'],
  })),
);

test.each<[string, Readonly<Record<string, Uint8Array>>]>([
  ['a scalar', { 'model.onnx': identityModel('FP32', []) }],
  ['fixed and free sizes', { 'model.onnx': identityModel('INT64', ['batch', 3, 'height', 0]) }],
  ['every type of elements', { 'model.onnx': EVERY_TYPE }],
  ['weights among the inputs', { 'model.onnx': LISTED_WEIGHTS }],
  ['weights in another file', { 'model.onnx': externalAddingModel(), 'weights.bin': weights(1) }],
])('of a model with %s it says what a session over it says', async (_, files) => {
  await using folder = await temporaryFolder(files);
  const modelFile = join(folder.path, 'model.onnx');
  expect(await readGraphSignature(modelFile)).toEqual(await ofSession(modelFile));
});

test.each([
  ['digits', 1],
  ['digits', 2],
])('of the demo’s %s %i it says what a session over it says', async (model, version) => {
  const modelFile = fileURLToPath(
    new URL(`../../../demo/models/${model}/${version}/model.onnx`, import.meta.url),
  );
  const signature = await readGraphSignature(modelFile);
  expect(signature?.inputs).toHaveLength(1);
  expect(signature).toEqual(await ofSession(modelFile));
});

test('weights of gigabytes are passed over', async () => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, 'model.onnx');
  const input = message([
    [1, Buffer.from('INPUT')],
    [2, message([[1, Buffer.from([0x08, 0x01])]])],
  ]);
  const gigabytes = 3 * 2 ** 30;
  const name = field(8, Buffer.from('W'));
  const tensor = Buffer.concat([name, Buffer.from([9 * 8 + 2]), varint(gigabytes)]);
  const values = Buffer.concat([field(11, input), field(12, input)]);
  const tensorBytes = tensor.length + gigabytes;
  const head = Buffer.concat([Buffer.from([5 * 8 + 2]), varint(tensorBytes), tensor]);
  const graphBytes = head.length + gigabytes + values.length;
  const begin = Buffer.concat([Buffer.from([7 * 8 + 2]), varint(graphBytes), head]);
  const handle = await open(path, 'w');
  // The file system keeps no block for what isn't written.
  await handle.write(begin, 0, begin.length, 0);
  await handle.write(values, 0, values.length, begin.length + gigabytes);
  await handle.close();
  expect(await readGraphSignature(path)).toEqual({
    inputs: [{ name: 'INPUT', datatype: 'FP32', shape: [] }],
    outputs: [{ name: 'INPUT', datatype: 'FP32', shape: [] }],
  });
});

test('a file that is cut off anywhere is no model', async () => {
  const whole = identityModel();
  await using folder = await temporaryFolder(
    Object.fromEntries(Array.from(whole, (_, length) => [String(length), whole.subarray(0, length)])),
  );
  const said = await Promise.all(
    Array.from(whole, async (_, length) => reasonOf(readGraphSignature(join(folder.path, String(length))))),
  );
  // What stands behind the graph is not asked for.
  expect(said.filter((reason) => reason === undefined).length).toBeLessThan(10);
  for (const reason of said) expect(reason ?? 'is no ONNX model: ').toMatch(/^is no ONNX model: /);
});

const value = (name: string, type: Buffer): Buffer =>
  message([
    [1, Buffer.from(name)],
    [2, type],
  ]);

const modelOf = (...fields: readonly Buffer[]): Buffer => field(7, Buffer.concat(fields));

test.each<[string, Uint8Array | string, string]>([
  ['a text', 'this is not ONNX', 'is no ONNX model: '],
  ['an empty file', '', 'is no ONNX model: it has no graph'],
  [
    'a pointer of Git LFS',
    'version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n',
    'is a pointer of Git LFS, and no ONNX model; run git lfs pull',
  ],
  [
    'a sequence',
    modelOf(field(11, value('words', field(4, Buffer.alloc(0))))),
    'has an input, "words", that is a sequence or a map; only tensors can be served',
  ],
  [
    'bfloat16',
    modelOf(field(12, value('half', field(1, Buffer.from([0x08, 16]))))),
    'has an output, "half", of ONNX\'s element type 16, which can\'t be served',
  ],
  ['an input without a type', modelOf(field(11, field(1, Buffer.from('x')))), 'its input "x" has no type'],
  [
    'a name of a megabyte',
    modelOf(field(11, field(1, Buffer.alloc(2 ** 20, 'x')))),
    'a name of 1048576 bytes',
  ],
])('%s is refused, and why is said', async (_, content, reason) => {
  await using folder = await temporaryFolder({ 'model.onnx': content });
  expect(await reasonOf(readGraphSignature(join(folder.path, 'model.onnx')))).toContain(reason);
});

test('of outputs that the file doesn’t describe nothing is said, nor of ONNX Runtime’s own format', async () => {
  const input = value('x', field(1, Buffer.from([0x08, 1])));
  await using folder = await temporaryFolder({
    'undescribed.onnx': modelOf(field(11, input), field(12, field(1, Buffer.from('y')))),
    'model.ort': Buffer.from('\x18\0\0\0ORTM'),
  });
  expect(await readGraphSignature(join(folder.path, 'undescribed.onnx'))).toEqual({
    inputs: [{ name: 'x', datatype: 'FP32', shape: [] }],
    outputs: [],
  });
  expect(await readGraphSignature(join(folder.path, 'model.ort'))).toBeUndefined();
});

test('bytes that are changed anywhere never make it hang or fail otherwise than in words', async () => {
  const whole = await readFile(new URL('../../../demo/models/digits/1/model.onnx', import.meta.url));
  await using folder = await temporaryFolder();
  const head = whole.subarray(0, 600);
  for (let at = 0; at < head.length; at += 7) {
    const changed = Buffer.from(whole);
    changed[at] = 0xff ^ (changed[at] ?? 0);
    await folder.write({ 'model.onnx': changed });
    const reason = await reasonOf(readGraphSignature(join(folder.path, 'model.onnx')));
    expect(reason ?? 'is no ONNX model: ').toMatch(/^(is no ONNX model: |has an? (in|out)put)/);
  }
});

async function ofSession(modelFile: string): Promise<object> {
  const instance = await OnnxInstance.start({ modelFile, threads: 1, provider: CPU });
  try {
    return { inputs: instance.inputs, outputs: instance.outputs };
  } finally {
    await instance.close();
  }
}

async function reasonOf(reading: Promise<unknown>): Promise<string | undefined> {
  try {
    await reading;
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function varint(number: number): Buffer {
  const bytes: number[] = [];
  for (let rest = number; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return Buffer.from([...bytes, rest]);
    bytes.push((rest % 128) + 128);
  }
}

/** A field that holds bytes, a text or a message. */
function field(number: number, content: Buffer): Buffer {
  return Buffer.concat([varint(number * 8 + 2), varint(content.length), content]);
}

function message(fields: readonly (readonly [number, Buffer])[]): Buffer {
  return Buffer.concat(fields.map(([number, content]) => field(number, content)));
}
