import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { RELEASE } from '../../../gateway/release.ts';
import { INPUT, V2Gateway, binaryBody, errorOf, splitAnswer } from './v2-gateway.ts';

let gateway: V2Gateway;
beforeAll(async () => {
  gateway = await V2Gateway.start();
});
afterAll(() => gateway[Symbol.asyncDispose]());

describe('what the server and its models say of themselves', () => {
  test('the server’s metadata carries the configured name and the extensions', async () => {
    const response = await gateway.get('/v2');
    expect(await response.json()).toEqual({
      name: 'triton',
      version: RELEASE,
      extensions: [
        'classification',
        'model_repository',
        'schedule_policy',
        'model_configuration',
        'binary_tensor_data',
        'parameters',
        'statistics',
        'trace',
        'logging',
      ],
    });
  });

  test.each([
    '/v2/health/live',
    '/v2/health/ready',
    '/v2/models/simple/ready',
    '/v2/models/simple/versions/2/ready',
  ])('%s answers 200', async (path) => {
    expect((await gateway.get(path)).status).toBe(200);
  });

  test('a model’s metadata lists the ready versions, and -1 for free dimensions', async () => {
    const response = await gateway.get('/v2/models/simple');
    expect(await response.json()).toEqual({
      name: 'simple',
      versions: ['1', '2'],
      platform: 'onnxruntime_onnx',
      inputs: [{ name: 'INPUT', datatype: 'FP32', shape: [-1, 4] }],
      outputs: [{ name: 'OUTPUT', datatype: 'FP32', shape: [-1, 4] }],
    });
  });

  test('plain health names no model where there are several', async () => {
    const response = await gateway.get('/health');
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
    ['/v2/models/%ff/ready', 400, "the path /v2/models/%ff/ready can't be decoded"],
    ['/v2/models/%E0%A4%A', 400, '% itself is %25'],
    [`/v2/models/${'m'.repeat(201)}/ready`, 404, 'a name in it has more than 200 characters'],
  ])('GET %s answers %i', async (path, status, message) => {
    const response = await gateway.get(path);
    expect(response.status).toBe(status);
    expect(await errorOf(response)).toContain(message);
  });

  test.each([
    ['GET', '/v2/models/simple/infer', 'POST'],
    ['GET', '/v2/repository/models/simple/load', 'POST'],
    ['DELETE', '/v2/models/simple/versions/1', 'GET, HEAD'],
    ['PUT', '/v2/logging', 'GET, HEAD, POST'],
    ['GET', '/predict/simple', 'POST'],
    ['POST', '/v2/health/live', 'GET, HEAD'],
  ])('%s %s answers 405, as Triton does, with the methods that it takes', async (method, path, allow) => {
    const response = await gateway.send(path, method);
    expect(response.status).toBe(405);
    expect(response.headers.get('allow')).toBe(allow);
    expect(await errorOf(response)).toBe(
      `${path} does not take ${method}; expected ${allow.replaceAll(', ', ' or ')}`,
    );
  });

  test.each(['/v2/models//infer', '/v2/models/simple/infer/', '/v2/models/simple/versions/1/2'])(
    'there is nothing at %s, whatever the method',
    async (path) => {
      for (const method of ['GET', 'POST']) expect((await gateway.send(path, method)).status).toBe(404);
    },
  );
});

describe('inference', () => {
  test('JSON in, JSON out, with the experiment and the times in the headers', async () => {
    const response = await gateway.post(
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
    const response = await gateway.post('/v2/models/simple/versions/2/infer', { inputs: [INPUT] });
    expect(response.headers.has('x-experiment')).toBe(false);
    expect(response.headers.has('x-experiment-reason')).toBe(false);
    expect(await response.json()).toMatchObject({ model_version: '2' });
  });

  test.each([
    undefined,
    'application/octet-stream',
    'text/plain',
    'application/json; charset=utf-8',
    '',
    'json',
    'application/json, text/plain',
    ';',
  ])('content type %j is taken: Triton’s clients send any', async (type) => {
    const body = Buffer.from(JSON.stringify({ inputs: [INPUT] }));
    const response = await gateway.post(
      '/v2/models/simple/infer',
      body,
      type === undefined ? {} : { 'content-type': type },
    );
    expect(response.status).toBe(200);
  });

  test('nested data is read along the shape', async () => {
    const data = [
      [1, 2, 3, 4],
      [5, 6, 7, 8],
    ];
    const response = await gateway.post('/v2/models/simple/infer', {
      inputs: [{ ...INPUT, shape: [2, 4], data }],
    });
    expect(await response.json()).toMatchObject({ outputs: [{ shape: [2, 4], data: data.flat() }] });
  });

  test('what a client leaves out it may write as null, as those of Python do', async () => {
    const response = await gateway.post('/v2/models/simple/infer', {
      id: null,
      parameters: null,
      inputs: [{ ...INPUT, parameters: null }],
      outputs: null,
    });
    const answer = (await response.json()) as { readonly id?: string; readonly outputs: readonly unknown[] };
    expect([response.status, answer.id, answer.outputs.length]).toEqual([200, undefined, 1]);
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
      const response = await gateway.post('/v2/models/simple/infer', body, headers);
      expect(response.status).toBe(200);
      expect(response.headers.get('content-type')).toBe('application/octet-stream');
      const { json, binary } = await splitAnswer(response);
      expect(json).toMatchObject({ outputs: [{ name: 'OUTPUT', parameters: { binary_data_size: 16 } }] });
      expect(new Uint8Array(binary)).toEqual(new Uint8Array(floats.buffer));
    }
  });

  test('an output says for itself whether it comes as binary data', async () => {
    const outputs = [{ name: 'OUTPUT', parameters: { binary_data: true } }];
    const { json } = await splitAnswer(
      await gateway.post('/v2/models/simple/infer', { inputs: [INPUT], outputs }),
    );
    expect(json.outputs[0]?.parameters).toEqual({ binary_data_size: 16 });
  });

  test('strings go both ways, as JSON and as binary data', async () => {
    const data = ['grüße', ''];
    const input = { name: 'INPUT', shape: [1, 2], datatype: 'BYTES', data };
    const json = await gateway.post('/v2/models/text/infer', { inputs: [input] });
    expect(await json.json()).toMatchObject({ outputs: [{ datatype: 'BYTES', data }] });
    const { binary } = await splitAnswer(
      await gateway.post('/v2/models/text/infer', {
        inputs: [input],
        parameters: { binary_data_output: true },
      }),
    );
    const text = Buffer.from('grüße');
    const expected = Buffer.concat([Buffer.from([text.length, 0, 0, 0]), text, Buffer.from([0, 0, 0, 0])]);
    expect(binary.equals(expected)).toBe(true);
  });

  test('a large JSON body, parsed off the main thread, gives the same answer and the same errors', async () => {
    const data = Array.from({ length: 200_000 }, (_, index) => index / 3);
    const input = { name: 'INPUT', shape: [2, 100_000], datatype: 'FP32', data };
    const response = await gateway.post('/v2/models/wide/infer', { inputs: [input] });
    const answer = (await response.json()) as { outputs: { data: number[] }[] };
    expect(answer.outputs[0]?.data).toEqual(data.map(Math.fround));

    const bad = await gateway.post('/v2/models/wide/infer', {
      inputs: [{ ...input, data: [...data.slice(1), 'x'] }],
    });
    expect(bad.status).toBe(400);
    expect(await errorOf(bad)).toContain(`data[199999] is the string "x", which is not a FP32`);
  });
});

describe('X-Experiment', () => {
  test.each(['v2', 'simple-ab=v2', ' simple-ab = v2 ; '])('"%s" forces the variant', async (value) => {
    const response = await gateway.post(
      '/v2/models/simple/infer',
      { inputs: [INPUT] },
      { 'x-experiment': value },
    );
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
    const response = await gateway.post(path, { inputs: [INPUT] }, { 'x-experiment': value });
    expect(response.status).toBe(400);
    expect(await errorOf(response)).toContain(message);
  });
});

test('a unit beyond ASCII is hashed as the UTF-8 that was sent', async () => {
  // Hashed as Latin-1, this name would be in the other variant.
  const unit = Buffer.from('grüße-5').toString('latin1');
  const response = await gateway.post('/v2/models/simple/infer', { inputs: [INPUT] }, { 'x-user-id': unit });
  expect(response.headers.get('x-experiment')).toBe('simple-ab=v2');
});
