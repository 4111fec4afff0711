import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { INPUT, V2Gateway, binaryBody, errorOf, splitAnswer } from './v2-gateway.ts';

let gateway: V2Gateway;
beforeAll(async () => {
  gateway = await V2Gateway.start();
});
afterAll(() => gateway[Symbol.asyncDispose]());

describe('bad input is told apart, and the process serves on', () => {
  const withInput = (fields: object) => ({ inputs: [{ ...INPUT, ...fields }] });
  test.each<[string, unknown, number, string]>([
    [
      'a wrong input name',
      withInput({ name: 'IMAGE' }),
      400,
      "unexpected inference input 'IMAGE' for model 'simple'; its inputs are: INPUT",
    ],
    [
      'a wrong type',
      withInput({ datatype: 'INT32', data: [1, 2, 3, 4] }),
      400,
      "data-type is 'INT32', but model 'simple' expects 'FP32'",
    ],
    [
      'an unknown type',
      withInput({ datatype: 'FLOAT' }),
      400,
      "datatype is 'FLOAT'; expected one of BOOL, UINT8",
    ],
    ['a wrong shape', withInput({ shape: [1, 3], data: [1, 2, 3] }), 400, 'Expected [-1,4], got [1,3]'],
    [
      'too few elements',
      withInput({ data: [1, 2, 3] }),
      400,
      'has 3 elements in its data; its shape [1,4] takes 4',
    ],
    [
      'a negative dimension',
      withInput({ shape: [-1, 4] }),
      400,
      'shape[0] is the number -1; expected a whole number from 0 to 2147483648',
    ],
    [
      'a shape that would take all the memory',
      withInput({ shape: [2_000_000_000, 4] }),
      400,
      'takes 8000000000',
    ],
    ['no rows', withInput({ shape: [0, 4], data: [] }), 400, 'batch-size must be from 1 to 32'],
    [
      'too many rows',
      withInput({ shape: [33, 4], data: Array(132).fill(1) }),
      400,
      "batch-size must be from 1 to 32 for 'simple', got 33",
    ],
    ['ragged nesting', withInput({ data: [[1, 2, 3]] }), 400, 'a list of 3 at depth 1; its shape is [1,4]'],
    [
      'a number too large for the type',
      withInput({ data: [1, 2, 3, 1e39] }),
      400,
      'data[3] is the number 1e+39, which is not a FP32',
    ],
    ['null among numbers', withInput({ data: [1, 2, 3, null] }), 400, 'data[3] is null, which is not a FP32'],
    ['no inputs', { inputs: [] }, 400, "expected 1 inputs but got 0 inputs for model 'simple'".slice(0, 24)],
    ['no inputs at all', {}, 400, 'the request.inputs is missing; expected a list'],
    ['inputs of the wrong kind', { inputs: [5] }, 400, 'inputs[0] is the number 5; expected an object'],
    ['a list for a body', [], 400, 'the request is a list; expected an object'],
    ['an empty body', '', 400, 'the body is empty'],
    [
      'NaN in JSON',
      '{"inputs":[{"name":"INPUT","shape":[1,4],"datatype":"FP32","data":[1,NaN,3,4]}]}',
      400,
      'JSON has no NaN or Infinity',
    ],
    [
      'a number beyond all floats',
      '{"inputs":[{"name":"INPUT","shape":[1,4],"datatype":"FP32","data":[1,1e999,3,4]}]}',
      400,
      'which is not a FP32',
    ],
    ['an input twice', { inputs: [INPUT, INPUT] }, 400, "input 'INPUT' for model 'simple' is there twice"],
    [
      'an unknown output',
      { inputs: [INPUT], outputs: [{ name: 'X' }] },
      400,
      "unexpected inference output 'X' for model 'simple'; its outputs are: OUTPUT",
    ],
    [
      'shared memory',
      withInput({ parameters: { shared_memory_region: 'r' }, data: undefined }),
      501,
      'shared memory is not supported',
    ],
    [
      'classes that are no number',
      { inputs: [INPUT], outputs: [{ name: 'OUTPUT', parameters: { classification: 'all' } }] },
      400,
      'parameters.classification is the string "all"; expected a whole number of classes >= 0',
    ],
    [
      'a priority that is no level',
      { inputs: [INPUT], parameters: { priority: -1 } },
      400,
      'parameters.priority is the number -1; expected a priority level, a whole number >= 0',
    ],
    [
      'a timeout that is no time',
      { inputs: [INPUT], parameters: { timeout: 1.5 } },
      400,
      'parameters.timeout is the number 1.5; expected a whole number of microseconds >= 0',
    ],
    [
      'a number that no double holds',
      '{"inputs":[{"name":"INPUT","shape":[1,4],"datatype":"FP32","data":[1,2,1e400,4]}]}',
      400,
      '.data[2] is a number beyond the largest double, which is not a FP32',
    ],
    ['a sequence', { inputs: [INPUT], parameters: { sequence_id: 7 } }, 501, 'sequences are not supported'],
    [
      'a key of every object’s',
      '{"inputs":[{"name":"INPUT","__proto__":{"shape":[1,4]},"datatype":"FP32","data":[1,2,3,4]}]}',
      400,
      'shape is missing',
    ],
  ])('%s', async (_, body, status, message) => {
    const response = await gateway.post('/v2/models/simple/infer', body);
    expect(await errorOf(response)).toContain(message);
    expect(response.status).toBe(status);
    expect((await gateway.post('/v2/models/simple/infer', { inputs: [INPUT] })).status).toBe(200);
  });

  test.each<[string, object, number, Readonly<Record<string, string>>, string]>([
    [
      'a truncated binary body',
      { parameters: { binary_data_size: 16 } },
      12,
      {},
      'has binary_data_size 16, but only 12 bytes of binary data are left',
    ],
    [
      'a wrong byte count',
      { parameters: { binary_data_size: 12 } },
      12,
      {},
      'FP32 of shape [1,4] takes 16 bytes',
    ],
    [
      'more bytes than were announced',
      { parameters: { binary_data_size: 16 } },
      20,
      {},
      '4 bytes of binary data more',
    ],
    [
      'a byte count that is none',
      { parameters: { binary_data_size: '16' } },
      16,
      {},
      'expected a whole number of bytes >= 0',
    ],
    [
      'a header length beyond the body',
      { parameters: { binary_data_size: 16 } },
      16,
      { 'inference-header-content-length': '9999' },
      'is 9999, but the body has only',
    ],
    [
      'a header length that is none',
      { parameters: { binary_data_size: 16 } },
      16,
      { 'inference-header-content-length': '-1' },
      "is '-1'; expected a number of bytes",
    ],
    [
      'data and bytes at once',
      { parameters: { binary_data_size: 16 }, data: [1, 2, 3, 4] },
      16,
      {},
      'expected one of the two',
    ],
  ])('%s', async (_, fields, bytes, override, message) => {
    const input = { name: 'INPUT', shape: [1, 4], datatype: 'FP32', ...fields };
    const { body, headers } = binaryBody({ inputs: [input] }, [new Uint8Array(bytes)]);
    const response = await gateway.post('/v2/models/simple/infer', body, { ...headers, ...override });
    expect(await errorOf(response)).toContain(message);
    expect(response.status).toBe(400);
  });

  test('a non-finite output is a 422 that asks for binary output, which carries it', async () => {
    const inputs = [{ name: 'INPUT', shape: [1, 1], datatype: 'FP32', data: [0] }];
    const json = await gateway.post('/v2/models/log/infer', { inputs });
    expect(json.status).toBe(422);
    expect(await errorOf(json)).toContain('"binary_data_output": true');
    const binary = await splitAnswer(
      await gateway.post('/v2/models/log/infer', { inputs, parameters: { binary_data_output: true } }),
    );
    expect(binary.binary.readFloatLE()).toBe(Number.NEGATIVE_INFINITY);
  });

  test('a body over the limit is a 400, as with Triton, announced or streamed', async () => {
    const large = Buffer.alloc(9 * 1024 * 1024, 32);
    const announced = await gateway.post('/v2/models/simple/infer', large);
    expect(announced.status).toBe(400);
    expect(await errorOf(announced)).toContain(
      `the body has ${large.length} bytes; at most 8388608 are taken`,
    );
    const streamed = await gateway.postStream('/v2/models/simple/infer', new Blob([large]).stream());
    expect(streamed.status).toBe(400);
    expect(await errorOf(streamed)).toContain('more than 8388608 bytes');
  });

  test('a model that isn’t ONNX is a 503 with the reason, and the others serve', async () => {
    const response = await gateway.post('/v2/models/broken/infer', { inputs: [INPUT] });
    expect(response.status).toBe(503);
    expect(response.headers.get('retry-after')).toBe('1');
    expect(await errorOf(response)).toMatch(
      /has no available versions \(version 1: failed to load .*model\.onnx/,
    );
  });
});
