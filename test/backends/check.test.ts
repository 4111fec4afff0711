import { describe, expect, test } from 'vitest';
import { checkRequest } from '../../backends/check.ts';
import type { ModelSignature } from '../../backends/check.ts';
import type { InferRequest } from '../../backends/inference.ts';
import type { NumericTensor, Tensor } from '../../backends/tensor/tensor.ts';

const SIGNATURE: ModelSignature = {
  model: 'digits',
  inputs: [
    { name: 'pixels', datatype: 'FP32', shape: [-1, 2, 2] },
    { name: 'size', datatype: 'INT64', shape: [-1] },
  ],
  outputs: [
    { name: 'logits', datatype: 'FP32', shape: [-1, 10] },
    { name: 'features', datatype: 'FP32', shape: [-1, 64] },
  ],
  maxBatchSize: 4,
};

const pixels = (rows: number): NumericTensor => ({
  name: 'pixels',
  datatype: 'FP32',
  shape: [rows, 2, 2],
  data: new Float32Array(Math.max(0, rows) * 4),
});
const size = (rows: number): NumericTensor => ({
  name: 'size',
  datatype: 'INT64',
  shape: [rows],
  data: new BigInt64Array(Math.max(0, rows)),
});

function requestOf(inputs: readonly Tensor[], outputs?: readonly string[]): InferRequest {
  return { inputs, deadlineMs: Infinity, ...(outputs === undefined ? {} : { outputs }) };
}

describe('a request that fits', () => {
  test('has its rows counted and its inputs put in the order of the model', () => {
    const checked = checkRequest(SIGNATURE, requestOf([size(3), pixels(3)], ['features']));
    expect(checked.rows).toBe(3);
    expect(checked.request.inputs.map(({ name }) => name)).toEqual(['pixels', 'size']);
    expect(checked.request.outputs).toEqual(['features']);
  });

  test('shares its lane with all others where only the rows are free', () => {
    const lanes = [1, 4].map((rows) => checkRequest(SIGNATURE, requestOf([pixels(rows), size(rows)])).lane);
    expect(new Set(lanes).size).toBe(1);
  });

  test('shares its lane with those of the same shape alone where more is free', () => {
    const free: ModelSignature = {
      ...SIGNATURE,
      inputs: [
        { name: 'a', datatype: 'UINT8', shape: [-1, -1, -1] },
        { name: 'b', datatype: 'UINT8', shape: [-1, -1] },
      ],
    };
    const laneOf = (a: readonly [number, number], b: number): string => {
      const inputs: Tensor[] = [
        { name: 'a', datatype: 'UINT8', shape: [1, ...a], data: new Uint8Array(a[0] * a[1]) },
        { name: 'b', datatype: 'UINT8', shape: [1, b], data: new Uint8Array(b) },
      ];
      return checkRequest(free, requestOf(inputs)).lane;
    };
    const lanes = [laneOf([1, 12], 3), laneOf([11, 2], 3), laneOf([1, 1], 23), laneOf([1, 12], 4)];
    expect(new Set(lanes).size).toBe(lanes.length);
    expect(laneOf([1, 12], 3)).toBe(lanes[0]);
  });

  test('is one row where the model does not batch, whatever its first dimension', () => {
    const unbatched: ModelSignature = {
      ...SIGNATURE,
      maxBatchSize: 0,
      inputs: [{ name: 'pixels', datatype: 'FP32', shape: [9, 2, 2] }],
    };
    expect(checkRequest(unbatched, requestOf([pixels(9)])).rows).toBe(1);
  });
});

describe('a request is refused as invalid_input, with what was sent and what the model takes, for', () => {
  const refusals: readonly [what: string, request: InferRequest, message: string][] = [
    [
      'an input that the model does not have',
      requestOf([pixels(1), size(1), { ...size(1), name: 'colour' }]),
      "unexpected inference input 'colour' for model 'digits'; its inputs are: pixels, size",
    ],
    [
      'an input that is missing',
      requestOf([pixels(1)]),
      `expected 2 inputs but got 1 for model 'digits': "size" is missing`,
    ],
    [
      'an input that is there twice',
      requestOf([pixels(1), size(1), pixels(1)]),
      "input 'pixels' for model 'digits' is there twice",
    ],
    [
      'an output that the model does not have',
      requestOf([pixels(1), size(1)], ['logits', 'odds']),
      "unexpected inference output 'odds' for model 'digits'; its outputs are: logits, features",
    ],
    [
      'another type',
      requestOf([{ ...pixels(1), datatype: 'FP64', data: new Float64Array(4) }, size(1)]),
      "inference input 'pixels' data-type is 'FP64', but model 'digits' expects 'FP32'",
    ],
    [
      'a dimension of another size',
      requestOf([{ ...pixels(1), shape: [1, 2, 3], data: new Float32Array(6) }, size(1)]),
      "unexpected shape for input 'pixels' for model 'digits'. Expected [-1,2,2], got [1,2,3]",
    ],
    [
      'a dimension too few',
      requestOf([{ ...pixels(1), shape: [2, 2] }, size(1)]),
      "unexpected shape for input 'pixels' for model 'digits'. Expected [-1,2,2], got [2,2]",
    ],
    [
      'fewer elements than the shape takes',
      requestOf([{ ...pixels(2), data: new Float32Array(7) }, size(2)]),
      "input 'pixels' for model 'digits' has 7 elements; its shape [2,2,2] takes 8",
    ],
    [
      'inputs with different numbers of rows',
      requestOf([pixels(2), size(3)]),
      "input 'size' for model 'digits' has 3 rows, but 'pixels' has 2",
    ],
    [
      'more rows than a batch may have',
      requestOf([pixels(5), size(5)]),
      "inference request batch-size must be from 1 to 4 for 'digits', got 5",
    ],
    [
      'no rows',
      requestOf([pixels(0), size(0)]),
      "inference request batch-size must be from 1 to 4 for 'digits', got 0",
    ],
  ];

  test.each(refusals)('%s', (_, request, message) => {
    expect(() => checkRequest(SIGNATURE, request)).toThrow(
      expect.objectContaining({ name: 'BackendError', fault: 'invalid_input', message }),
    );
  });

  test.each([
    ['negative', [1, -2, -2]],
    ['not whole', [1, 2.5, 1.6]],
  ])('a size that is %s, although the model leaves it free', (_, shape) => {
    const free: ModelSignature = {
      ...SIGNATURE,
      inputs: [{ name: 'pixels', datatype: 'FP32', shape: [-1, -1, -1] }],
    };
    expect(() => checkRequest(free, requestOf([{ ...pixels(1), shape }]))).toThrow(
      expect.objectContaining({ fault: 'invalid_input' }),
    );
  });
});

test('bytes that are no UTF-8 text are refused, except by what takes any', () => {
  const signature: ModelSignature = {
    ...SIGNATURE,
    inputs: [{ name: 'file', datatype: 'BYTES', shape: [-1, 1] }],
  };
  const image: Tensor = { name: 'file', datatype: 'BYTES', shape: [1, 1], data: [Uint8Array.of(0xff, 0xd8)] };
  expect(() => checkRequest(signature, requestOf([image]))).toThrow(
    "input 'file' has bytes in its element 0 that are not UTF-8 text",
  );
  const checked = checkRequest({ ...signature, takesAnyBytes: true }, requestOf([image]));
  expect(checked.request.inputs).toEqual([image]);
});
