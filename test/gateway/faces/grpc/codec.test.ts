import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Tensor } from '../../../../backends/tensor/tensor.ts';
import { GatewayError } from '../../../../gateway/errors.ts';
import { readInferMessage } from '../../../../gateway/faces/grpc/infer-message.ts';
import { readGrpcRequest } from '../../../../gateway/faces/grpc/infer-request.ts';
import { writeInferResponse } from '../../../../gateway/faces/grpc/infer-response.ts';
import { WireReader } from '../../../../gateway/faces/grpc/wire-reader.ts';
import { methodsOf } from './grpc-client.ts';

const { ModelInfer } = methodsOf('inference.proto', 'inference.GRPCInferenceService');
if (ModelInfer === undefined) throw new Error('there is no ModelInfer');

const name = fc.string({ unit: 'grapheme', maxLength: 40 });
const size = fc.nat({ max: 2 ** 40 });
const parameters = fc.dictionary(
  fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }),
  fc.oneof(
    fc.boolean().map((bool_param) => ({ bool_param })),
    fc
      .integer({ min: Number.MIN_SAFE_INTEGER, max: Number.MAX_SAFE_INTEGER })
      .map((int64_param) => ({ int64_param })),
    name.map((string_param) => ({ string_param })),
    fc.double({ noNaN: true }).map((double_param) => ({ double_param })),
    fc.maxSafeNat().map((uint64_param) => ({ uint64_param })),
  ),
  { maxKeys: 5, noNullPrototype: true },
);
const requests = fc.record({
  model_name: name,
  model_version: name,
  id: name,
  parameters,
  inputs: fc.array(
    fc.record({ name, datatype: name, shape: fc.array(fc.oneof(size, fc.constant(-1))), parameters }),
    {
      maxLength: 4,
    },
  ),
  outputs: fc.array(fc.record({ name, parameters }), { maxLength: 4 }),
  raw_input_contents: fc.array(
    fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
    { maxLength: 4 },
  ),
});

const plain = (choices: Readonly<Record<string, object>>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(choices).map(([key, choice]) => [key, Object.values(choice)[0]]));

test('requests that a protobuf library wrote are read as they were', () => {
  fc.assert(
    fc.property(requests, (request) => {
      const read = readInferMessage(ModelInfer.requestSerialize(request));
      expect(read.model).toBe(request.model_name);
      expect(read.version).toBe(request.model_version);
      expect(read.id).toBe(request.id);
      expect({ ...read.parameters }).toEqual(plain(request.parameters));
      expect(read.inputs.map((input) => ({ ...input, parameters: { ...input.parameters } }))).toEqual(
        request.inputs.map((input) => ({
          ...input,
          parameters: plain(input.parameters),
          contents: undefined,
        })),
      );
      expect(
        read.outputs.map((output) => ({ name: output.name, parameters: { ...output.parameters } })),
      ).toEqual(
        request.outputs.map((output) => ({ name: output.name, parameters: plain(output.parameters) })),
      );
      expect(read.rawInputs.map((bytes) => Buffer.from(bytes))).toEqual(request.raw_input_contents);
    }),
  );
});

test('what is no message, or breaks off, is refused and nothing else', () => {
  const bytesOrBroken = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    fc
      .tuple(requests, fc.nat({ max: 400 }))
      .map(([request, cut]) => ModelInfer.requestSerialize(request).subarray(0, cut)),
  );
  fc.assert(
    fc.property(bytesOrBroken, (bytes) => {
      try {
        readGrpcRequest(readInferMessage(bytes));
      } catch (error) {
        expect(error).toBeInstanceOf(GatewayError);
      }
    }),
    { numRuns: 500 },
  );
});

test('answers are read by a protobuf library as they were meant', () => {
  const data = Float32Array.of(1, -0, Number.NaN, Infinity);
  const outputs: readonly Tensor[] = [
    { name: 'größe', datatype: 'FP32', shape: [2, 2], data },
    { name: 'text', datatype: 'BYTES', shape: [2, 1], data: ['grüße', ''] },
    { name: 'empty', datatype: 'INT64', shape: [0, 70_000], data: new BigInt64Array() },
  ];
  const request = { id: 'r-1', classesByOutput: new Map() };
  const version = { model: 'simple', version: 300, labels: [], maxBatchSize: 4 };
  const parameters = { 'x-experiment': 'a=b', triton_final_response: false };
  expect(
    ModelInfer.responseDeserialize(writeInferResponse(request, version, outputs, parameters)),
  ).toMatchObject({
    model_name: 'simple',
    model_version: '300',
    id: 'r-1',
    parameters: {
      'x-experiment': { string_param: 'a=b' },
      triton_final_response: { bool_param: false, parameter_choice: 'bool_param' },
    },
    outputs: [
      { name: 'größe', datatype: 'FP32', shape: ['2', '2'] },
      { name: 'text', datatype: 'BYTES', shape: ['2', '1'] },
      { name: 'empty', datatype: 'INT64', shape: ['0', '70000'] },
    ],
    raw_output_contents: [
      Buffer.from(data.buffer),
      Buffer.concat([Buffer.from([7, 0, 0, 0]), Buffer.from('grüße'), Buffer.from([0, 0, 0, 0])]),
      Buffer.alloc(0),
    ],
  });
});

describe('typed contents', () => {
  const read = (datatype: string, shape: readonly number[], contents: object): Tensor | undefined => {
    const inputs = [{ name: 'X', datatype, shape, contents }];
    return readGrpcRequest(readInferMessage(ModelInfer.requestSerialize({ inputs }))).inputs[0];
  };

  test('every element is exact', () => {
    fc.assert(
      fc.property(fc.array(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })), (values) => {
        const tensor = read('INT64', [values.length], { int64_contents: values.map(String) });
        expect(tensor?.data).toEqual(BigInt64Array.from(values));
      }),
    );
    fc.assert(
      fc.property(fc.array(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })), (values) => {
        const tensor = read('UINT64', [values.length], { uint64_contents: values.map(String) });
        expect(tensor?.data).toEqual(BigUint64Array.from(values));
      }),
    );
    fc.assert(
      fc.property(fc.float32Array(), (values) => {
        expect(read('FP32', [values.length], { fp32_contents: [...values] })?.data).toEqual(values);
      }),
    );
    expect(read('INT8', [2], { int_contents: [-128, 127] })?.data).toEqual(Int8Array.of(-128, 127));
    expect(read('BOOL', [2], { bool_contents: [true, false] })?.data).toEqual(Uint8Array.of(1, 0));
    // What is no text stays bytes: an image is one such.
    expect(read('BYTES', [1], { bytes_contents: [Buffer.from([0xff, 0xd8])] })?.data).toEqual([
      Buffer.from([0xff, 0xd8]),
    ]);
    expect(read('BYTES', [2], { bytes_contents: [Buffer.from('é'), Buffer.from('')] })?.data).toEqual([
      'é',
      '',
    ]);
  });

  test('elements that are each a field of their own are read too', () => {
    const one = (value: number): Buffer => {
      const field = Buffer.alloc(5);
      field[0] = 6 * 8 + 5;
      field.writeFloatLE(value, 1);
      return field;
    };
    const contents = Buffer.concat([one(1), one(2)]);
    const input = Buffer.concat([
      Buffer.from([0x12, 4]),
      Buffer.from('FP32'),
      Buffer.from([0x18, 2, 0x2a, 10]),
      contents,
    ]);
    const message = Buffer.concat([Buffer.from([0x2a, input.length]), input]);
    expect(readGrpcRequest(readInferMessage(message)).inputs[0]?.data).toEqual(Float32Array.of(1, 2));
  });

  test.each<[string, string, readonly number[], object, string]>([
    [
      'too few',
      'FP32',
      [3],
      { fp32_contents: [1, 2] },
      'has 2 elements in fp32_contents; its shape [3] takes 3',
    ],
    ['too many', 'FP32', [1], { fp32_contents: [1, 2] }, 'has more elements'],
    ['too few integers', 'INT32', [3], { int_contents: [1] }, 'its shape [3] takes 3'],
    ['too many strings', 'BYTES', [0], { bytes_contents: [Buffer.from('a')] }, 'has more elements'],
    ['none, of a shape that would take all the memory', 'FP64', [2 ** 31, 2 ** 20], {}, 'has fewer elements'],
    [
      'another type’s list',
      'FP32',
      [1],
      { fp64_contents: [1] },
      'has its elements in fp64_contents; its datatype goes in fp32_contents',
    ],
    [
      'a number that would be wrapped',
      'UINT8',
      [1],
      { uint_contents: [256] },
      'element 0 is 256, which is not a UINT8',
    ],
    [
      'a negative number that would be wrapped',
      'INT8',
      [1],
      { int_contents: [-129] },
      'element 0 is -129, which is not a INT8',
    ],
    ['halves', 'FP16', [1], { fp32_contents: [1] }, 'FP16, which goes in raw_input_contents only'],
    ['an unknown type', 'FLOAT', [1], {}, "datatype is 'FLOAT'; expected one of BOOL"],
    ['a negative dimension', 'FP32', [-1], {}, 'shape[0] is -1; expected a whole number from 0 to'],
    [
      'a dimension beyond all memory',
      'FP32',
      [2 ** 40],
      {},
      'shape[0] is 1099511627776; expected a whole number',
    ],
  ])('%s: refused', (_, datatype, shape, contents, message) => {
    expect(() => read(datatype, shape, contents)).toThrow(message);
  });
});

test('numbers of up to ten bytes are read, and more are refused', () => {
  const full = new WireReader(Uint8Array.of(...Array<number>(9).fill(0xff), 1));
  expect(full.int64()).toBe(-1n);
  expect(() => new WireReader(new Uint8Array(11).fill(0xff)).varint()).toThrow('more than ten bytes');
});
