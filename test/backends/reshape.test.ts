import { expect, test } from 'vitest';
import { reshapeFault } from '../../backends/repository/declared-tensor.ts';
import { modelConfigJson } from '../../backends/repository/model-config-json.ts';
import { identityModel } from '../models/onnx-graph.ts';
import { lentSlabsOf, openRepository } from './repository/open-repository.ts';

test.each([
  [[1], []],
  [[6], [2, 3]],
  [
    [-1, 2],
    [-1, 2, 1],
  ],
  [
    [-1, 6, -1],
    [-1, 3, 2, -1],
  ],
])('[%j] can be reshaped to [%j]', (dims, reshape) => {
  expect(reshapeFault(dims, reshape)).toBeUndefined();
});

test.each([
  [[2], []],
  [[6], [4]],
  [[-1], [2]],
  [
    [-1, 2],
    [2, -1],
  ],
])('[%j] can’t be reshaped to [%j]', (dims, reshape) => {
  expect(reshapeFault(dims, reshape)).toContain('expected as many elements as dims');
});

test('callers see dims, the graph its own shape, and rows that are batched stay their callers’', async () => {
  await using opened = await openRepository({
    'm/1/model.onnx': identityModel('FP32', ['batch', 'any', 4]),
    'm/config.pbtxt': `
      max_batch_size: 8
      input { name: "INPUT" data_type: TYPE_FP32 dims: [-1, 2, 2] reshape { shape: [-1, 4] } }
      output { name: "OUTPUT" data_type: TYPE_FP32 dims: [-1, 4, 1] reshape { shape: [-1, 4] } }
      model_warmup { batch_size: 2 inputs { key: "INPUT" value { data_type: TYPE_FP32 dims: [3, 2, 2] zero_data: true } } }
    `,
  });
  const version = opened.ready('m', 1);
  expect(version.about.inputs).toEqual([{ name: 'INPUT', datatype: 'FP32', shape: [-1, -1, 2, 2] }]);
  const ask = async (rows: number, length: number, first: number): Promise<unknown> => {
    const data = Float32Array.from({ length: rows * length * 4 }, (_, index) => first + index);
    const answer = await version.infer({
      inputs: [{ name: 'INPUT', datatype: 'FP32', shape: [rows, length, 2, 2], data }],
      deadlineMs: Infinity,
    });
    const [output] = answer.outputs.map(({ shape, data: values }) => ({ shape, data: [...values] }));
    answer.release();
    return [output, { shape: [rows, length, 4, 1], data: [...data] }];
  };
  for (const pair of await Promise.all([ask(1, 3, 0), ask(2, 3, 100), ask(1, 5, 200)])) {
    const [output, expected] = pair as readonly [unknown, unknown];
    expect(output).toEqual(expected);
  }
  expect(lentSlabsOf(version)).toBe(0);
  expect(modelConfigJson(version.about)).toMatchObject({
    input: [{ dims: [-1, 2, 2], reshape: { shape: [-1, 4] } }],
    output: [{ dims: [-1, 4, 1], reshape: { shape: [-1, 4] } }],
  });
});

test('a graph whose rows are single numbers is served to callers who send a column', async () => {
  await using opened = await openRepository({
    'm/1/model.onnx': identityModel('INT64', ['batch']),
    'm/config.pbtxt': 'input { name: "INPUT" data_type: TYPE_INT64 dims: 1 reshape { } }',
  });
  const answer = await opened.ready('m', 1).infer({
    inputs: [{ name: 'INPUT', datatype: 'INT64', shape: [2, 1], data: BigInt64Array.of(7n, 8n) }],
    deadlineMs: Infinity,
  });
  expect(answer.outputs).toMatchObject([{ shape: [2], data: BigInt64Array.of(7n, 8n) }]);
  answer.release();
});
