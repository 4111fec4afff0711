import { describe, expect, test } from 'vitest';
import type { Tensor } from '../../../backends/tensor/tensor.ts';
import { LongV2Response } from '../../../gateway/open-inference/long-response.ts';
import { writeV2Response } from '../../../gateway/open-inference/response.ts';
import type { V2Response } from '../../../gateway/open-inference/written-response.ts';
import type { V2Request } from '../../../gateway/open-inference/request.ts';

const MODEL = { model: 'm', version: 1, maxBatchSize: 0, labels: [] };
const REQUEST: V2Request = {
  id: 'a',
  parameters: {},
  inputs: [],
  binaryByOutput: new Map([['raw', true]]),
  classesByOutput: new Map(),
  binaryOutput: false,
};
const LENGTH = 50_001;
const numbers = Array.from({ length: LENGTH }, (_, index) => index - 7);

const tensor = (datatype: Tensor['datatype'], data: Tensor['data'], name = 'o'): Tensor =>
  ({ name, datatype, shape: [1, data.length], data }) as Tensor;

function long(outputs: readonly Tensor[]): LongV2Response {
  const response = writeV2Response(REQUEST, MODEL, outputs);
  if (!(response instanceof LongV2Response)) throw new Error('expected an answer that is written in turns');
  return response;
}

const written = async (outputs: readonly Tensor[]): Promise<V2Response> => {
  const response = await long(outputs).written(() => true);
  if (response === undefined) throw new Error('expected an answer');
  return response;
};

describe('an answer with many numbers as JSON', () => {
  test.each([
    ['FP32', Float32Array.from(numbers), numbers],
    ['INT64', BigInt64Array.from(numbers, BigInt), numbers],
    ['BOOL', Uint8Array.from(numbers, (n) => n & 1), numbers.map((n) => (n & 1) === 1)],
    ['BYTES', numbers.map(String), numbers.map(String)],
  ] as const)('has all of them, of %s, in their order', async (datatype, data, expected) => {
    const { body, jsonBytes } = await written([tensor(datatype, data)]);
    expect(jsonBytes).toBeUndefined();
    expect(JSON.parse(String(body))).toEqual({
      model_name: 'm',
      model_version: '1',
      id: 'a',
      outputs: [{ name: 'o', datatype, shape: [1, LENGTH], data: expected }],
    });
  });

  test('stands beside short and binary outputs', async () => {
    const outputs = [
      tensor('INT32', Int32Array.of(1, 2), 'short'),
      tensor('FP32', Float32Array.from(numbers), 'long'),
      tensor('UINT8', Uint8Array.of(3, 4), 'raw'),
    ];
    const { body, jsonBytes } = await written(outputs);
    const bytes = Buffer.from(body);
    const json = JSON.parse(bytes.subarray(0, jsonBytes).toString()) as { outputs: { name: string }[] };
    expect(json.outputs.map(({ name }) => name)).toEqual(['short', 'long', 'raw']);
    expect(json.outputs[2]).toMatchObject({ parameters: { binary_data_size: 2 } });
    expect([...bytes.subarray(jsonBytes)]).toEqual([3, 4]);
  });

  test('lets others have their turn, and has its elements to itself meanwhile', async () => {
    const lent = Float32Array.from(numbers);
    let turns = 0;
    const writing = long([tensor('FP32', lent)]).written(() => {
      turns += 1;
      return true;
    });
    lent.fill(0);
    const { body } = (await writing) ?? {};
    expect(turns).toBeGreaterThan(LENGTH / 10_000);
    expect(JSON.parse(String(body))).toMatchObject({ outputs: [{ data: numbers }] });
  });

  test('is given up once nobody waits for it', async () => {
    let turns = 0;
    const response = long([tensor('FP32', Float32Array.from(numbers))]);
    expect(await response.written(() => ++turns < 2)).toBeUndefined();
    expect(turns).toBe(2);
  });

  test.each([
    ['FP32', Float32Array.from(numbers).fill(NaN, LENGTH - 1)],
    ['FP64', Float64Array.from(numbers).fill(Infinity, LENGTH - 1)],
    ['FP16', new Uint16Array(LENGTH).fill(0xfc00, LENGTH - 1)],
  ] as const)('is refused before it is begun where one of %s is not finite', (datatype, data) => {
    expect(() => writeV2Response(REQUEST, MODEL, [tensor(datatype, data)])).toThrow(
      "output 'o' has NaN or infinite values",
    );
  });
});
