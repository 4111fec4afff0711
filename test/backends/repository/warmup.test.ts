import { expect, test } from 'vitest';
import { prepareSamples } from '../../../backends/warmup/warm-up.ts';
import {
  addingModel,
  identitiesModel,
  lingeringModel,
  lookupModel,
  slowModel,
} from '../../models/small-models.ts';
import { openRepository, settle } from './open-repository.ts';

const WARM = (inputs: string, more = 'batch_size: 1'): string =>
  `model_warmup: [{ name: w, ${more}, inputs: { ${inputs} } }]`;

const reasonOf = async (
  model: Uint8Array,
  config: string,
  files: Readonly<Record<string, string | Uint8Array>> = {},
): Promise<string | undefined> => {
  const written = Object.fromEntries(Object.entries(files).map(([name, content]) => [`m/${name}`, content]));
  await using opened = await openRepository({ 'm/1/model.onnx': model, 'm/config.yaml': config, ...written });
  return opened.stateOf('m', 1)?.replace(`failed to load ${opened.root.path}/m/1/model.onnx: `, '');
};

/** A table of four rows: an index beyond them fails the run, so that a warm-up shows what it was run with. */
const index = (file: number): Uint8Array => new Uint8Array(BigInt64Array.of(BigInt(file)).buffer);
const INDEX = 'INPUT: { data_type: TYPE_INT64, dims: [1], input_data_file: index.bin }';

test('a version is run with its samples before it takes traffic, and one that fails on them never does', async () => {
  expect(await reasonOf(lookupModel(), WARM(INDEX), { 'warmup/index.bin': index(3) })).toBe('READY');
  expect(await reasonOf(lookupModel(), WARM(INDEX), { 'warmup/index.bin': index(4) })).toMatch(
    /^UNAVAILABLE the model failed on the warm-up "w": .*/,
  );
});

test('where the warm-up of a replacement fails, the last good one goes on', async () => {
  await using opened = await openRepository({
    'm/1/model.onnx': lookupModel(),
    'm/config.yaml': WARM(INDEX),
    'm/warmup/index.bin': index(1),
  });
  const before = opened.ready('m', 1);
  await opened.root.write({ 'm/warmup/index.bin': index(9) });
  await settle(opened);
  expect(opened.stateOf('m', 1)).toMatch(/^READY failed to load .* the model failed on the warm-up "w"/);
  expect(opened.ready('m', 1)).toBe(before);
});

test('a warm-up or a probe that hangs ends the load of its version, and no other; the last good one goes on', async () => {
  const long = (value: number): Uint8Array => new Uint8Array(Float32Array.of(value).buffer);
  const slow = 'INPUT: { data_type: TYPE_FP32, dims: [1], input_data_file: long.bin }';
  await using opened = await openRepository(
    {
      'm/1/model.onnx': lingeringModel(12),
      'm/config.yaml': WARM(slow),
      'm/warmup/long.bin': long(0),
      'probed/1/model.onnx': slowModel(256, 2500),
    },
    { machine: { faults: { warmupLimitMs: 300 } } },
  );
  expect(opened.stateOf('probed', 1)).toMatch(
    /^UNAVAILABLE failed to load .* the model has not answered a run over zeros for 0\.3 s/,
  );
  const before = opened.ready('m', 1);
  await opened.root.write({ 'm/warmup/long.bin': long(2000) });
  await settle(opened);
  expect(opened.stateOf('m', 1)).toMatch(
    /^READY failed to load .* the model has not answered the warm-up "w" for 0\.3 s/,
  );
  expect(opened.ready('m', 1)).toBe(before);
  await opened.root.write({ 'm/warmup/long.bin': long(1) });
  await settle(opened);
  expect(opened.stateOf('m', 1)).toBe('READY');
});

test('zeros, random numbers and files make tensors of every kind, for as many rows as the sample has', async () => {
  const columns = (
    ['FP32', 'FP16', 'FP64', 'BOOL', 'INT8', 'UINT8', 'INT32', 'INT64', 'UINT64', 'BYTES'] as const
  ).map((datatype) => ({
    input: `in_${datatype}`,
    output: `out_${datatype}`,
    datatype,
    shape: ['batch', 2] as const,
  }));
  const type = (datatype: string): string => `TYPE_${datatype === 'BYTES' ? 'STRING' : datatype}`;
  for (const data of ['zero_data: true', 'random_data: true']) {
    const inputs = columns.map(
      ({ input, datatype }) => `${input}: { data_type: ${type(datatype)}, dims: [2], ${data} }`,
    );
    const config = WARM(inputs.join(', '), 'batch_size: 3, count: 2');
    expect(await reasonOf(identitiesModel(columns), config)).toBe('READY');
  }
  const text = Buffer.from('\x02\0\0\0hi\0\0\0\0', 'latin1');
  const strings = [{ input: 'a', output: 'b', datatype: 'BYTES' as const, shape: ['batch', 2] as const }];
  const config = WARM('a: { data_type: TYPE_STRING, dims: [2], input_data_file: t.bin }', 'batch_size: 2');
  expect(await reasonOf(identitiesModel(strings), config, { 'warmup/t.bin': text })).toBe('READY');
});

test('every row of a batch has the sample’s data', async () => {
  const samples = await prepareSamples(
    [
      {
        name: 'w',
        rows: 3,
        count: 1,
        inputs: [{ name: 'INPUT', datatype: 'INT64', dims: [2], data: { kind: 'random' } }],
      },
    ],
    {
      inputs: [{ name: 'INPUT', datatype: 'INT64', shape: [-1, 2] }],
      maxBatchSize: 4,
      directory: '',
      random: () => 0.7,
    },
  );
  expect(samples).toEqual([
    {
      name: 'w',
      count: 1,
      inputs: [
        { name: 'INPUT', datatype: 'INT64', shape: [3, 2], data: BigInt64Array.of(7n, 7n, 7n, 7n, 7n, 7n) },
      ],
    },
  ]);
});

test.each([
  ['no data for an input', WARM(''), 'the warm-up "w" has no data for the input "INPUT"'],
  [
    'data for what is no input',
    WARM(
      'INPUT: { data_type: TYPE_FP32, dims: [2], zero_data: true }, X: { data_type: TYPE_FP32, zero_data: true }',
    ),
    'the warm-up "w" has data for "X", which is no input of the model',
  ],
  [
    'another type',
    WARM('INPUT: { data_type: TYPE_INT32, dims: [2], zero_data: true }'),
    'the warm-up "w" has "INPUT" as INT32, but the model takes FP32',
  ],
  [
    'another shape',
    WARM('INPUT: { data_type: TYPE_FP32, dims: [3], zero_data: true }'),
    'the warm-up "w" has "INPUT" as [1,3], but the model takes [-1,2]',
  ],
  [
    'more rows than the model takes',
    WARM('INPUT: { data_type: TYPE_FP32, dims: [2], zero_data: true }', 'batch_size: 33'),
    'the warm-up "w" has batch_size 33; this model takes from 1 to 32',
  ],
  [
    'a file that is not there',
    WARM('INPUT: { data_type: TYPE_FP32, dims: [2], input_data_file: gone.bin }'),
    /ENOENT.*warmup\/gone\.bin/,
  ],
  [
    'a file of another size',
    WARM('INPUT: { data_type: TYPE_FP32, dims: [2], input_data_file: short.bin }'),
    'the warm-up "w" has 3 bytes of "INPUT" in its file; expected 8',
  ],
])('a sample with %s is refused', async (_, config, reason) => {
  const state = await reasonOf(addingModel(1), config, { 'warmup/short.bin': 'abc' });
  expect(state).toMatch(/^UNAVAILABLE /);
  expect(state).toEqual(
    typeof reason === 'string' ? expect.stringContaining(reason) : expect.stringMatching(reason),
  );
});
