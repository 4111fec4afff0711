import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encodeModel, identityModel } from '../../models/onnx-graph.ts';
import { experimentFile, startGateway } from '../running-gateway.ts';
import type { RunningGateway } from '../running-gateway.ts';

let gateway: RunningGateway;

beforeAll(async () => {
  const logOfInput = encodeModel({
    inputs: [{ name: 'INPUT', datatype: 'FP32', shape: ['batch', 1] }],
    outputs: [{ name: 'OUTPUT', datatype: 'FP32', shape: ['batch', 1] }],
    nodes: [{ op: 'Log', inputs: ['INPUT'], outputs: ['OUTPUT'] }],
  });
  gateway = await startGateway({
    config: 'server: { name: triton, bodyLimit: 8MiB }',
    files: {
      'models/simple/1/model.onnx': identityModel('FP32', ['batch', 4]),
      'models/simple/2/model.onnx': identityModel('FP32', ['batch', 4]),
      'models/wide/1/model.onnx': identityModel('FP32', ['batch', 100_000]),
      'models/integers/1/model.onnx': identityModel('INT64', ['batch', 2]),
      'models/text/1/model.onnx': identityModel('BYTES', ['batch', 2]),
      'models/log/1/model.onnx': logOfInput,
      'models/broken/1/model.onnx': 'this is not ONNX',
      'experiments/simple.yaml': experimentFile({ key: 'simple-ab', model: 'simple' }),
    },
  });
});
afterAll(() => gateway[Symbol.asyncDispose]());

const INPUT = { name: 'INPUT', shape: [1, 4], datatype: 'FP32', data: [1, 2.5, -3, 4e-3] };

function post(
  path: string,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): Promise<Response> {
  const bytes = body instanceof Uint8Array || typeof body === 'string' ? body : JSON.stringify(body);
  return fetch(gateway.url(path), { method: 'POST', body: bytes as string, headers });
}

async function errorOf(response: Response): Promise<string> {
  const body = (await response.json()) as { error: string };
  expect(Object.keys(body)).toEqual(['error']);
  return body.error;
}

/** A body of JSON followed by binary tensors, and the header that says where the one ends. */
function binaryBody(json: object, tensors: readonly Uint8Array[]) {
  const head = Buffer.from(JSON.stringify(json));
  return {
    body: Buffer.concat([head, ...tensors]),
    headers: { 'inference-header-content-length': String(head.length) },
  };
}

/** The JSON and the binary part of an answer. */
async function splitAnswer(response: Response) {
  const bytes = Buffer.from(await response.arrayBuffer());
  const length = Number(response.headers.get('inference-header-content-length'));
  return {
    json: JSON.parse(bytes.toString('utf8', 0, length)) as {
      outputs: { parameters: { binary_data_size: number } }[];
    },
    binary: bytes.subarray(length),
  };
}

describe('what the server and its models say of themselves', () => {
  test('the server’s metadata carries the configured name and the extensions', async () => {
    const response = await fetch(gateway.url('/v2'));
    expect(await response.json()).toEqual({
      name: 'triton',
      version: '0.1.0',
      extensions: ['binary_tensor_data'],
    });
  });

  test.each([
    '/v2/health/live',
    '/v2/health/ready',
    '/v2/models/simple/ready',
    '/v2/models/simple/versions/2/ready',
  ])('%s answers 200', async (path) => {
    expect((await fetch(gateway.url(path))).status).toBe(200);
  });

  test('a model’s metadata lists the ready versions, and -1 for free dimensions', async () => {
    const response = await fetch(gateway.url('/v2/models/simple'));
    expect(await response.json()).toEqual({
      name: 'simple',
      versions: ['1', '2'],
      platform: 'onnxruntime_onnx',
      inputs: [{ name: 'INPUT', datatype: 'FP32', shape: [-1, 4] }],
      outputs: [{ name: 'OUTPUT', datatype: 'FP32', shape: [-1, 4] }],
    });
  });

  test('plain health names no model where there are several', async () => {
    const response = await fetch(gateway.url('/health'));
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({ status: 'healthy', model: null });
  });

  test.each([
    ['/v2/models/nobody', 404, "Request for unknown model: 'nobody' is not found"],
    [
      '/v2/models/simple/versions/7',
      404,
      "Request for unknown model: 'simple' version 7 is not found; its versions are: 1, 2",
    ],
    [
      '/v2/models/simple/versions/two',
      400,
      "specified version string 'two', version should be an integer > 0",
    ],
    ['/v2/models/simple/versions/0', 400, "specified version string '0'"],
    ['/v2/models/broken/ready', 503, 'failed to load'],
    ['/v2/nothing', 404, 'there is nothing at GET /v2/nothing'],
  ])('GET %s answers %i', async (path, status, message) => {
    const response = await fetch(gateway.url(path));
    expect(response.status).toBe(status);
    expect(await errorOf(response)).toContain(message);
  });
});

describe('inference', () => {
  test('JSON in, JSON out, with the experiment and the times in the headers', async () => {
    const response = await post(
      '/v2/models/simple/infer',
      { id: 'a-1', inputs: [INPUT] },
      { 'x-user-id': 'ada' },
    );
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('application/json; charset=utf-8');
    expect(response.headers.get('x-experiment')).toMatch(/^simple-ab=v[12]$/);
    expect(response.headers.get('x-experiment-reason')).toBe('split');
    expect(response.headers.get('server-timing')).toMatch(
      /^route;dur=[\d.]+, queue;dur=[\d.]+, compute;dur=[\d.]+, total;dur=[\d.]+$/,
    );
    expect(await response.json()).toEqual({
      model_name: 'simple',
      model_version: response.headers.get('x-experiment')?.at(-1),
      id: 'a-1',
      outputs: [{ name: 'OUTPUT', datatype: 'FP32', shape: [1, 4], data: [1, 2.5, -3, Math.fround(4e-3)] }],
    });
  });

  test('a call that names a version is pinned: no experiment in the answer', async () => {
    const response = await post('/v2/models/simple/versions/2/infer', { inputs: [INPUT] });
    expect(response.headers.has('x-experiment')).toBe(false);
    expect(response.headers.has('x-experiment-reason')).toBe(false);
    expect(await response.json()).toMatchObject({ model_version: '2' });
  });

  test.each([undefined, 'application/octet-stream', 'text/plain', 'application/json; charset=utf-8'])(
    'content type %s is taken: Triton’s clients send any',
    async (type) => {
      const body = Buffer.from(JSON.stringify({ inputs: [INPUT] }));
      const response = await post(
        '/v2/models/simple/infer',
        body,
        type === undefined ? {} : { 'content-type': type },
      );
      expect(response.status).toBe(200);
    },
  );

  test('nested data is read along the shape', async () => {
    const data = [
      [1, 2, 3, 4],
      [5, 6, 7, 8],
    ];
    const response = await post('/v2/models/simple/infer', { inputs: [{ ...INPUT, shape: [2, 4], data }] });
    expect(await response.json()).toMatchObject({ outputs: [{ shape: [2, 4], data: data.flat() }] });
  });

  test('binary in, binary out, at any alignment', async () => {
    const floats = Float32Array.of(1, Number.NaN, Number.POSITIVE_INFINITY, -0);
    for (const id of ['', 'x', 'xx', 'xxx']) {
      const { body, headers } = binaryBody(
        {
          id,
          inputs: [{ name: 'INPUT', shape: [1, 4], datatype: 'FP32', parameters: { binary_data_size: 16 } }],
          parameters: { binary_data_output: true },
        },
        [new Uint8Array(floats.buffer)],
      );
      const response = await post('/v2/models/simple/infer', body, headers);
      expect(response.status).toBe(200);
      expect(response.headers.get('content-type')).toBe('application/octet-stream');
      const { json, binary } = await splitAnswer(response);
      expect(json).toMatchObject({ outputs: [{ name: 'OUTPUT', parameters: { binary_data_size: 16 } }] });
      expect(new Uint8Array(binary)).toEqual(new Uint8Array(floats.buffer));
    }
  });

  test('an output says for itself whether it comes as binary data', async () => {
    const outputs = [{ name: 'OUTPUT', parameters: { binary_data: true } }];
    const { json } = await splitAnswer(await post('/v2/models/simple/infer', { inputs: [INPUT], outputs }));
    expect(json.outputs[0]?.parameters).toEqual({ binary_data_size: 16 });
  });

  test('strings go both ways, as JSON and as binary data', async () => {
    const data = ['grüße', ''];
    const input = { name: 'INPUT', shape: [1, 2], datatype: 'BYTES', data };
    const json = await post('/v2/models/text/infer', { inputs: [input] });
    expect(await json.json()).toMatchObject({ outputs: [{ datatype: 'BYTES', data }] });
    const { binary } = await splitAnswer(
      await post('/v2/models/text/infer', { inputs: [input], parameters: { binary_data_output: true } }),
    );
    const text = Buffer.from('grüße');
    const expected = Buffer.concat([Buffer.from([text.length, 0, 0, 0]), text, Buffer.from([0, 0, 0, 0])]);
    expect(binary.equals(expected)).toBe(true);
  });

  test('a large JSON body, parsed off the main thread, gives the same answer and the same errors', async () => {
    const data = Array.from({ length: 200_000 }, (_, index) => index / 3);
    const input = { name: 'INPUT', shape: [2, 100_000], datatype: 'FP32', data };
    const response = await post('/v2/models/wide/infer', { inputs: [input] });
    const answer = (await response.json()) as { outputs: { data: number[] }[] };
    expect(answer.outputs[0]?.data).toEqual(data.map(Math.fround));

    const bad = await post('/v2/models/wide/infer', {
      inputs: [{ ...input, data: [...data.slice(1), 'x'] }],
    });
    expect(bad.status).toBe(400);
    expect(await errorOf(bad)).toContain(`data[199999] is the string "x", which is not a FP32`);
  });
});

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
      'shape[0] is the number -1; expected a whole number >= 0',
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
      'classification',
      { inputs: [INPUT], outputs: [{ name: 'OUTPUT', parameters: { classification: 3 } }] },
      501,
      'the classification extension is not supported',
    ],
    ['a sequence', { inputs: [INPUT], parameters: { sequence_id: 7 } }, 501, 'sequences are not supported'],
    [
      'a key of every object’s',
      '{"inputs":[{"name":"INPUT","__proto__":{"shape":[1,4]},"datatype":"FP32","data":[1,2,3,4]}]}',
      400,
      'shape is missing',
    ],
  ])('%s', async (_, body, status, message) => {
    const response = await post('/v2/models/simple/infer', body);
    expect(await errorOf(response)).toContain(message);
    expect(response.status).toBe(status);
    expect((await post('/v2/models/simple/infer', { inputs: [INPUT] })).status).toBe(200);
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
    const { data: _data, ...input } = INPUT;
    const { body, headers } = binaryBody({ inputs: [{ ...input, ...fields }] }, [new Uint8Array(bytes)]);
    const response = await post('/v2/models/simple/infer', body, { ...headers, ...override });
    expect(await errorOf(response)).toContain(message);
    expect(response.status).toBe(400);
  });

  test('integers out of range are refused, not wrapped, and those that JSON can’t carry too', async () => {
    const input = (data: unknown[]) => ({
      inputs: [{ name: 'INPUT', shape: [1, 2], datatype: 'INT64', data }],
    });
    const fraction = await post('/v2/models/integers/infer', input([1, 1.5]));
    expect(await errorOf(fraction)).toContain('data[1] is the number 1.5, which is not a INT64');
    const large = await post('/v2/models/integers/infer', input([1, 2 ** 60]));
    expect(await errorOf(large)).toContain('send it as binary data');
    const { body, headers } = binaryBody(
      { inputs: [{ name: 'INPUT', shape: [1, 2], datatype: 'INT64', parameters: { binary_data_size: 16 } }] },
      [new Uint8Array(BigInt64Array.of(1n, 2n ** 60n + 1n).buffer)],
    );
    const out = await post('/v2/models/integers/infer', body, headers);
    expect(out.status).toBe(422);
    expect(await errorOf(out)).toContain('binary_data_output');
  });

  test('a non-finite output is a 422 that asks for binary output, which carries it', async () => {
    const inputs = [{ name: 'INPUT', shape: [1, 1], datatype: 'FP32', data: [0] }];
    const json = await post('/v2/models/log/infer', { inputs });
    expect(json.status).toBe(422);
    expect(await errorOf(json)).toContain('"binary_data_output": true');
    const binary = await splitAnswer(
      await post('/v2/models/log/infer', { inputs, parameters: { binary_data_output: true } }),
    );
    expect(binary.binary.readFloatLE()).toBe(Number.NEGATIVE_INFINITY);
  });

  test('a body over the limit is a 400, as with Triton, announced or streamed', async () => {
    const large = Buffer.alloc(9 * 1024 * 1024, 32);
    const announced = await post('/v2/models/simple/infer', large);
    expect(announced.status).toBe(400);
    expect(await errorOf(announced)).toContain(
      `the body has ${large.length} bytes; at most 8388608 are taken`,
    );
    const streamed = await fetch(gateway.url('/v2/models/simple/infer'), {
      method: 'POST',
      body: new Blob([large]).stream(),
      duplex: 'half',
    } as RequestInit);
    expect(streamed.status).toBe(400);
    expect(await errorOf(streamed)).toContain('more than 8388608 bytes');
  });

  test('a model that isn’t ONNX is a 503 with the reason, and the others serve', async () => {
    const response = await post('/v2/models/broken/infer', { inputs: [INPUT] });
    expect(response.status).toBe(503);
    expect(response.headers.get('retry-after')).toBe('1');
    expect(await errorOf(response)).toMatch(
      /has no available versions \(version 1: failed to load .*model\.onnx/,
    );
  });
});

describe('X-Experiment', () => {
  test.each(['v2', 'simple-ab=v2', ' simple-ab = v2 ; '])('"%s" forces the variant', async (value) => {
    const response = await post('/v2/models/simple/infer', { inputs: [INPUT] }, { 'x-experiment': value });
    expect(response.headers.get('x-experiment')).toBe('simple-ab=v2');
    expect(response.headers.get('x-experiment-reason')).toBe('override');
  });

  test.each([
    ['/v2/models/simple/infer', 'v9', 'unknown variant "v9" of experiment simple-ab; known variants: v1, v2'],
    ['/v2/models/simple/infer', 'nope=v1', 'unknown experiment "nope"; known experiments: simple-ab'],
    ['/v2/models/simple/infer', 'v1;v2', 'forces both v1 and v2'],
    ['/v2/models/simple/versions/1/infer', 'v2', 'the call names version 1'],
    ['/v2/models/wide/infer', 'v1', 'model "wide" has no experiment'],
  ])('%s with "%s" is a 400', async (path, value, message) => {
    const response = await post(path, { inputs: [INPUT] }, { 'x-experiment': value });
    expect(response.status).toBe(400);
    expect(await errorOf(response)).toContain(message);
  });
});
