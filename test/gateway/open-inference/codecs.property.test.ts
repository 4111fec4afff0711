/** What is written is read as the same bits, whatever the tensor; the reader takes what the writer gives. */
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { V2Decoder } from '../../../gateway/open-inference/decoder.ts';
import { readV2Request } from '../../../gateway/open-inference/request.ts';
import type { V2Request } from '../../../gateway/open-inference/request.ts';
import { LongV2Response } from '../../../gateway/open-inference/long-response.ts';
import { writeV2Response } from '../../../gateway/open-inference/response.ts';
import type { V2Response } from '../../../gateway/open-inference/written-response.ts';
import { DATATYPES, bytesPerElement, viewOf } from '../../../backends/tensor/datatype.ts';
import type { Datatype, NumericDatatype } from '../../../backends/tensor/datatype.ts';
import type { Tensor } from '../../../backends/tensor/tensor.ts';

const shapes = fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 4 });

/** Any bits at all, but for BOOL, which has two values. */
function numericTensor(datatype: NumericDatatype): fc.Arbitrary<Tensor> {
  const byte = datatype === 'BOOL' ? fc.integer({ min: 0, max: 1 }) : fc.integer({ min: 0, max: 255 });
  return shapes.chain((shape) => {
    const length = shape.reduce((count, size) => count * size, 1);
    const bytes = length * bytesPerElement(datatype);
    return fc.array(byte, { minLength: bytes, maxLength: bytes }).map((values) => {
      const data = viewOf(datatype, Uint8Array.from(values).buffer, 0, length);
      return { name: 'x', datatype, shape, data };
    });
  });
}

/** Any text that is UTF-8. */
const bytesTensor: fc.Arbitrary<Tensor> = shapes.chain((shape) => {
  const length = shape.reduce((count, size) => count * size, 1);
  const texts = fc.array(fc.string({ unit: 'binary' }), { minLength: length, maxLength: length });
  return texts.map((data) => ({ name: 'x', datatype: 'BYTES', shape, data }));
});

function tensorOf(datatype: Datatype): fc.Arbitrary<Tensor> {
  return datatype === 'BYTES' ? bytesTensor : numericTensor(datatype);
}

function bitsOf(tensor: Tensor | undefined): unknown {
  if (tensor === undefined) return undefined;
  const { name, datatype, shape, data } = tensor;
  if (!('buffer' in data)) return { name, datatype, shape, data };
  const bits = Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('hex');
  return { name, datatype, shape, bits };
}

function isFinite(tensor: Tensor): boolean {
  const { datatype, data } = tensor;
  if (datatype === 'FP16') return new Float16Array(data.buffer as ArrayBuffer).every(Number.isFinite);
  return (
    !('buffer' in data) || [...data].every((value) => typeof value === 'bigint' || Number.isFinite(value))
  );
}

const VERSION = { model: 'm', version: 1, maxBatchSize: 0, labels: [] };

const NOTHING_ASKED: V2Request = {
  id: undefined,
  parameters: {},
  inputs: [],
  binaryByOutput: new Map(),
  classesByOutput: new Map(),
  binaryOutput: false,
};

/** Small tensors are written in place. */
function atOnce(response: V2Response | LongV2Response): V2Response {
  if (response instanceof LongV2Response) throw new Error('expected a short answer');
  return response;
}

/** Writes the tensor as an answer, and reads that answer as if it were a request. */
function throughTheWire(tensor: Tensor, binaryOutput: boolean): Tensor | undefined {
  const request: V2Request = { ...NOTHING_ASKED, binaryOutput };
  const { body, jsonBytes } = atOnce(writeV2Response(request, VERSION, [tensor]));
  const bytes = Buffer.from(body);
  const json = bytes.subarray(0, jsonBytes ?? bytes.length).toString();
  const asRequest = Buffer.from(json.replace('"outputs":', '"inputs":'));
  const whole = Buffer.concat([asRequest, bytes.subarray(jsonBytes ?? bytes.length)]);
  return readV2Request(whole, jsonBytes === undefined ? undefined : asRequest.length).inputs[0];
}

describe.each(DATATYPES)('%s', (datatype) => {
  test('binary data keeps every bit', () => {
    fc.assert(
      fc.property(tensorOf(datatype), (tensor) => {
        expect(bitsOf(throughTheWire(tensor, true))).toEqual(bitsOf(tensor));
      }),
    );
  });

  test('JSON keeps every bit of what is finite', () => {
    fc.assert(
      fc.property(tensorOf(datatype).filter(isFinite), (tensor) => {
        expect(bitsOf(throughTheWire(tensor, false))).toEqual(bitsOf(tensor));
      }),
    );
  });

  test('nested lists are read as the flat list is', () => {
    fc.assert(
      fc.property(tensorOf(datatype).filter(isFinite), (tensor) => {
        const { shape } = tensor;
        const { body } = atOnce(writeV2Response(NOTHING_ASKED, VERSION, [tensor]));
        const flat = JSON.parse(String(body), keepDigits) as { outputs: { data: unknown[] }[] };
        const nested = JSON.stringify({
          inputs: [{ name: 'x', datatype, shape, data: nest(flat.outputs[0]?.data ?? [], shape) }],
        });
        expect(bitsOf(readV2Request(Buffer.from(nested), undefined).inputs[0])).toEqual(bitsOf(tensor));
      }),
    );
  });
});

/** Numbers as they were written: what a double would lose is not this test's affair. */
function keepDigits(_key: string, value: unknown, { source }: { readonly source?: string }): unknown {
  return typeof value === 'number' && source !== undefined ? JSON.rawJSON(source) : value;
}

function nest(flat: readonly unknown[], shape: readonly number[]): readonly unknown[] {
  const [size, ...inner] = shape;
  if (size === undefined || inner.length === 0) return flat;
  const step = inner.reduce((count, side) => count * side, 1);
  return Array.from({ length: size }, (_, index) =>
    nest(flat.slice(index * step, (index + 1) * step), inner),
  );
}

test('a whole number of 64 bits is read however JSON writes it', () => {
  const digits = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
  const spellings: readonly ((value: bigint) => string)[] = [
    (value) => String(value),
    (value) => `${value}.000`,
    (value) => `${value}${value === 0n ? '' : '0'}e-1`,
    (value) => `${value}E+0`,
    (value) =>
      String(value).replace(
        /(\d)(\d+)$/,
        (_, first: string, rest: string) => `${first}.${rest}e${rest.length}`,
      ),
  ];
  fc.assert(
    fc.property(fc.oneof(digits, fc.constant(0n)), fc.constantFrom(...spellings), (value, spell) => {
      const json = `{"inputs":[{"name":"x","datatype":"INT64","shape":[1],"data":[${spell(value)}]}]}`;
      expect(readV2Request(Buffer.from(json), undefined).inputs[0]?.data[0]).toBe(value);
    }),
  );
});

const PATIENT = { deadlineMs: Infinity, signal: undefined };

test('JSON with long lists of 64-bit integers is read off the main thread, other JSON of that size is not', async () => {
  const decoder = new V2Decoder();
  const body = (datatype: string): Buffer =>
    Buffer.from(
      JSON.stringify({ inputs: [{ name: 'x', datatype, shape: [40_000], data: Array(40_000).fill(1) }] }),
    );
  expect(decoder.decode(body('INT32'), undefined, PATIENT)).not.toBeInstanceOf(Promise);
  const integers = decoder.decode(body('UINT64'), undefined, PATIENT);
  expect(integers).toBeInstanceOf(Promise);
  expect((await integers).inputs[0]?.data).toEqual(new BigUint64Array(40_000).fill(1n));
  await decoder.close();
});

test('long lists of strings among binary data are read off the main thread, numbers are not', async () => {
  const decoder = new V2Decoder();
  const decoded = (datatype: string, size: number): V2Request | Promise<V2Request> => {
    const shape = [size / 4];
    const input = { name: 'x', datatype, shape, parameters: { binary_data_size: size } };
    const head = Buffer.from(JSON.stringify({ inputs: [input] }));
    return decoder.decode(Buffer.concat([head, Buffer.alloc(size)]), head.length, PATIENT);
  };
  expect(decoded('FP32', 2 ** 16)).not.toBeInstanceOf(Promise);
  expect(decoded('BYTES', 2 ** 10)).not.toBeInstanceOf(Promise);
  const strings = decoded('BYTES', 2 ** 16);
  expect(strings).toBeInstanceOf(Promise);
  expect((await strings).inputs[0]?.data).toEqual(Array(2 ** 14).fill(''));
  await decoder.close();
});
