import { describe, expect, test } from 'vitest';
import { BackendError } from '../../../backends/errors.ts';
import { DATATYPES } from '../../../backends/tensor/datatype.ts';
import type { Tensor } from '../../../backends/tensor/tensor.ts';
import { identityModel } from '../../models/onnx-graph.ts';
import { loadVersion } from '../load-version.ts';

/** Four elements of each type, at the ends of what it can hold; floating point as bits, so that every NaN counts. */
const EXTREMES: Readonly<Record<Tensor['datatype'], Tensor['data']>> = {
  BOOL: Uint8Array.of(0, 1, 1, 0),
  UINT8: Uint8Array.of(0, 1, 127, 255),
  UINT16: Uint16Array.of(0, 1, 32_768, 65_535),
  UINT32: Uint32Array.of(0, 1, 2 ** 31, 2 ** 32 - 1),
  UINT64: BigUint64Array.of(0n, 1n, 2n ** 63n, 2n ** 64n - 1n),
  INT8: Int8Array.of(-128, -1, 0, 127),
  INT16: Int16Array.of(-32_768, -1, 0, 32_767),
  INT32: Int32Array.of(-(2 ** 31), -1, 0, 2 ** 31 - 1),
  INT64: BigInt64Array.of(-(2n ** 63n), -1n, 2n ** 53n + 1n, 2n ** 63n - 1n),
  // Infinity, a NaN with a payload, -0, the smallest subnormal.
  FP16: Uint16Array.of(0x7c00, 0x7e01, 0x8000, 0x0001),
  FP32: new Float32Array(Uint32Array.of(0x7f800000, 0x7fc00123, 0x80000000, 0x00000001).buffer),
  FP64: new Float64Array(BigUint64Array.of(0xfff0n << 48n, 0x7ff8000000000123n, 1n << 63n, 1n).buffer),
  BYTES: ['', 'ä€😀', 'a\nb\tc', '{"a": 1}'],
};

/** The elements, numbers as the bytes they are. */
function bitsOf(tensor: Tensor): unknown {
  if (tensor.datatype === 'BYTES') return tensor.data;
  const { buffer, byteOffset, byteLength } = tensor.data;
  return [...new Uint8Array(buffer, byteOffset, byteLength)];
}

describe.each([
  { how: 'in a batch', shape: ['batch', 2], sent: [2, 2] },
  { how: 'in a batch of a free width', shape: ['batch', 'width'], sent: [2, 2] },
  { how: 'without batches', shape: [4], sent: [4] },
])('$how', ({ shape, sent }) => {
  test.each(DATATYPES)('%s goes through a model bit by bit', async (datatype) => {
    await using loaded = await loadVersion(identityModel(datatype, shape));
    const input = { name: 'INPUT', datatype, shape: sent, data: EXTREMES[datatype] } as Tensor;
    const { outputs } = await loaded.version.infer({ inputs: [input], deadlineMs: Infinity });
    expect(outputs).toMatchObject([{ name: 'OUTPUT', datatype, shape: sent }]);
    expect(outputs.map(bitsOf)).toEqual([bitsOf(input)]);
    expect(outputs[0]?.data.constructor).toBe(input.data.constructor);
  });
});

test('a string with a zero byte in it is not cut there in silence', async () => {
  await using loaded = await loadVersion(identityModel('BYTES', ['batch']));
  const input = { name: 'INPUT', datatype: 'BYTES', shape: [1], data: ['before\0after'] } as const;
  const answered = loaded.version.infer({ inputs: [input], deadlineMs: Infinity });
  const outcome = await answered.then(
    ({ outputs }) => outputs.map(({ data }) => [...data]),
    (error: unknown) => (error instanceof BackendError ? error.fault : error),
  );
  expect([[['before\0after']], 'invalid_input']).toContainEqual(outcome);
});

test('a model with bfloat16 inputs is not loaded, and the reason says what to do', async () => {
  const model = Buffer.from(identityModel('FP32', ['batch', 4]));
  // In the encoding of a type, 1 (float32) or 16 (bfloat16) stands after the field's key, 8; the shape's key, 18, follows it.
  const float32 = Uint8Array.of(8, 1, 18);
  for (let at = model.indexOf(float32); at >= 0; at = model.indexOf(float32)) model[at + 1] = 16;
  await expect(loadVersion(model)).rejects.toThrow(
    "an input or output is of type bfloat16, which can't be passed to ONNX Runtime from Node; cast the inputs and outputs " +
      'to float32 or float16 in the graph (inside of it the type may stay)',
  );
});
