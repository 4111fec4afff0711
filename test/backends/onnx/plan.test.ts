import { expect, test } from 'vitest';
import { encodeModel, identityModel } from '../../models/onnx-graph.ts';
import { identitiesModel, rowDoublingModel } from '../../models/small-models.ts';
import { loadVersion } from '../load-version.ts';

const FREE = identityModel('FP32', ['batch', 4]);
const FIXED = identityModel('FP32', [3, 4]);
const HALF_FREE = identitiesModel([
  { input: 'A', output: 'X', datatype: 'FP32', shape: ['batch', 4] },
  { input: 'B', output: 'Y', datatype: 'FP32', shape: [2] },
]);
const SCALAR = identityModel('FP32', []);

test.each([
  { what: 'a free first dimension', model: FREE, maxBatchSize: 32 },
  { what: 'a fixed first dimension', model: FIXED, maxBatchSize: 0 },
  {
    what: 'an input whose first dimension is fixed beside one whose is free',
    model: HALF_FREE,
    maxBatchSize: 0,
  },
  { what: 'no dimension at all', model: SCALAR, maxBatchSize: 0 },
  {
    what: 'a free first dimension that its output does not keep',
    model: rowDoublingModel(),
    maxBatchSize: 0,
  },
])(
  'a model with $what has batches of $maxBatchSize rows where nothing is configured',
  async ({ model, maxBatchSize }) => {
    await using loaded = await loadVersion(model);
    expect(loaded.version.about.maxBatchSize).toBe(maxBatchSize);
  },
);

test('the configuration decides where the graph leaves the choice', async () => {
  await using five = await loadVersion(FREE, { maxBatchSize: 5 });
  await using none = await loadVersion(FREE, { maxBatchSize: 0 });
  expect([five.version.about.maxBatchSize, none.version.about.maxBatchSize]).toEqual([5, 0]);
});

test('batches that the graph cannot take are refused, with the shape and what to do', async () => {
  await expect(loadVersion(FIXED, { maxBatchSize: 8 })).rejects.toThrow(
    `max_batch_size is 8, but the first dimension of "INPUT" isn't free: its shape is [3, 4]; ` +
      'export the model with a free first dimension, or set max_batch_size: 0',
  );
});

test('batches of a model that does not keep its rows are refused, with what it made of them', async () => {
  await expect(loadVersion(rowDoublingModel(), { maxBatchSize: 8 })).rejects.toThrow(
    'max_batch_size is 8, but of 2 rows the model made outputs of "OUTPUT" [4, 2]; set max_batch_size: 0',
  );
});

test('a model that does not keep its rows answers each request by itself', async () => {
  await using loaded = await loadVersion(rowDoublingModel());
  const answers = await Promise.all(
    [1, 2].map((value) =>
      loaded.version.infer({
        inputs: [{ name: 'INPUT', datatype: 'FP32', shape: [1, 2], data: Float32Array.of(value, value) }],
        deadlineMs: Infinity,
      }),
    ),
  );
  expect(answers.map(({ outputs }) => outputs)).toEqual(
    [1, 2].map((value) => [
      { name: 'OUTPUT', datatype: 'FP32', shape: [2, 2], data: Float32Array.of(value, value, value, value) },
    ]),
  );
});

test('an output whose size depends on the values is handed out whole where the model does not batch', async () => {
  const nonZero = encodeModel({
    inputs: [{ name: 'INPUT', datatype: 'FP32', shape: [4] }],
    outputs: [{ name: 'WHERE', datatype: 'INT64', shape: [1, 'found'] }],
    nodes: [{ op: 'NonZero', inputs: ['INPUT'], outputs: ['WHERE'] }],
  });
  await using loaded = await loadVersion(nonZero);
  const positionsOf = async (values: readonly number[]): Promise<unknown> => {
    const data = Float32Array.from(values);
    const inputs = [{ name: 'INPUT', datatype: 'FP32', shape: [4], data } as const];
    return (await loaded.version.infer({ inputs, deadlineMs: Infinity })).outputs;
  };
  expect(await positionsOf([0, 5, 0, 5])).toEqual([
    { name: 'WHERE', datatype: 'INT64', shape: [1, 2], data: BigInt64Array.of(1n, 3n) },
  ]);
  expect(await positionsOf([0, 0, 0, 0])).toEqual([
    { name: 'WHERE', datatype: 'INT64', shape: [1, 0], data: new BigInt64Array(0) },
  ]);
});
