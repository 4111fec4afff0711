import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { classesJson } from '../../../gateway/faces/torchserve/classes-json.ts';
import { identityModel } from '../../models/onnx-graph.ts';
import { DEMO_FOLDER, experimentFile, metricValue, startGateway } from '../running-gateway.ts';
import type { RunningGateway } from '../running-gateway.ts';

let gateway: RunningGateway;
let scan: Uint8Array<ArrayBuffer>;

beforeAll(async () => {
  gateway = await startGateway({
    config: `models: { repository: [./models, ${JSON.stringify(join(DEMO_FOLDER, 'models'))}] }\nserver: { bodyLimit: 2MiB }`,
    files: {
      'experiments/digits.yaml': experimentFile(),
      'models/plain/1/model.onnx': identityModel('FP32', ['batch', 2]),
    },
  });
  scan = new Uint8Array(await readFile(join(DEMO_FOLDER, 'images/0001.png')));
});
afterAll(() => gateway[Symbol.asyncDispose]());

function send(
  path: string,
  body: Uint8Array<ArrayBuffer> | FormData | string = scan,
  headers: Readonly<Record<string, string>> = {},
  method = 'POST',
): Promise<Response> {
  return fetch(gateway.url(path), { method, body, headers });
}

function form(files: readonly Uint8Array<ArrayBuffer>[], field: string): FormData {
  const data = new FormData();
  for (const file of files) data.append(field, new Blob([file]), 'scan.png');
  return data;
}

describe('POST /predictions/{model}', () => {
  test('answers the probabilities of the best classes by their labels, as POST /predict has them', async () => {
    const forced = { 'x-experiment': 'v2' };
    const response = await send('/predictions/digits', scan, forced);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toMatch('application/json');
    const { predictions } = (await (await send('/predict/digits', scan, forced)).json()) as {
      predictions: { label: string; confidence: number }[];
    };
    expect(predictions).toHaveLength(3);
    expect(Object.entries((await response.json()) as object)).toEqual(
      predictions.map(({ label, confidence }) => [label, confidence]),
    );
  });

  test('is routed by the experiment, and says so', async () => {
    const { headers } = await send('/predictions/digits', scan, { 'x-user-id': 'ada' });
    expect(headers.get('x-experiment')).toMatch(/^digits-cnn=v[12]$/);
    expect(headers.get('x-experiment-reason')).toBe('split');
    expect(headers.get('x-prediction-id')).not.toBeNull();
    expect(metricValue(await gateway.metrics(), 'signalbox_requests_total', { reason: 'split' })).toBe(1);
  });

  test.each(['data', 'body', 'file'])('takes a form’s field %s', async (field) => {
    const answer = await (await send('/predictions/digits/1', form([scan], field))).json();
    expect(answer).toEqual(await (await send('/predictions/digits/1')).json());
  });

  test('answers several images with a list in their order', async () => {
    const other = new Uint8Array(await readFile(join(DEMO_FOLDER, 'images/0003.png')));
    const alone = await Promise.all(
      [scan, other].map(async (file) =>
        Object.keys((await (await send('/predictions/digits/1', file)).json()) as object),
      ),
    );
    const together = (await (
      await send('/predictions/digits/1', form([scan, other], 'data'))
    ).json()) as object[];
    expect(together.map((classes) => Object.keys(classes)[0])).toEqual(alone.map(([first]) => first));
  });

  test('takes what curl -T puts', async () => {
    const put = await send('/predictions/digits/1', scan, {}, 'PUT');
    expect(await put.json()).toEqual(await (await send('/predictions/digits/1')).json());
  });

  test.each(['application/json', 'application/x-www-form-urlencoded'])(
    'takes and answers a v2 request as %s',
    async (type) => {
      const inputs = [{ name: 'INPUT', shape: [1, 2], datatype: 'FP32', data: [[1, 2]] }];
      const response = await send('/predictions/plain', JSON.stringify({ id: 'a', inputs }), {
        'content-type': type,
      });
      expect(await response.json()).toMatchObject({
        model_name: 'plain',
        id: 'a',
        outputs: [{ name: 'OUTPUT', shape: [1, 2], data: [1, 2] }],
      });
    },
  );
});

describe('a version in the path', () => {
  test.each(['1', '1.0'])('%s is pinned: no experiment', async (version) => {
    const response = await send(`/predictions/digits/${version}`);
    expect(response.status).toBe(200);
    expect(response.headers.get('x-experiment')).toBeNull();
  });

  test('contradicts X-Experiment', async () => {
    const response = await send('/predictions/digits/1', scan, { 'x-experiment': 'v2' });
    expect(await response.json()).toMatchObject({ code: 400, type: 'BadRequestException' });
  });
});

describe('errors have TorchServe’s code, type and message', () => {
  const unknown = 'Request for unknown model:';
  test.each([
    ['/predictions/nobody', 404, 'ModelNotFoundException', `${unknown} 'nobody' is not found`],
    [
      '/predictions/digits/9',
      404,
      'ModelVersionNotFoundException',
      `${unknown} 'digits' version 9 is not found; its versions are: 1, 2`,
    ],
    ['/predictions/digits/x', 400, 'BadRequestException', /'x', version should be an integer > 0/],
    ['/predictions/plain', 400, 'BadRequestException', /model 'plain' takes no images/],
    [
      '/predictions/digits/1/2',
      404,
      'ResourceNotFoundException',
      'there is nothing at POST /predictions/digits/1/2',
    ],
    ['/predictions/%ff', 400, 'BadRequestException', "the path /predictions/%ff can't be decoded"],
  ])('%s', async (path, code, type, message) => {
    const response = await send(path);
    expect(response.status).toBe(code);
    const error = (await response.json()) as { message: string };
    expect(error).toEqual({ code, type, message: error.message });
    expect(error.message).toMatch(message);
  });

  test('a method that the path does not take', async () => {
    const response = await fetch(gateway.url('/predictions/digits'), { method: 'DELETE' });
    expect(response.status).toBe(405);
    expect(response.headers.get('allow')).toBe('POST, PUT');
    expect(await response.json()).toEqual({
      code: 405,
      type: 'MethodNotAllowedException',
      message: '/predictions/digits does not take DELETE; expected POST or PUT',
    });
  });

  test('a body that is no image', async () => {
    const response = await send('/predictions/digits', 'kitten');
    expect(await response.json()).toMatchObject({ code: 400, type: 'BadRequestException' });
  });

  test('a form with another field', async () => {
    const response = await send('/predictions/digits', form([scan], 'image'));
    expect(await response.json()).toEqual({
      code: 400,
      type: 'BadRequestException',
      message: 'the multipart field is named "image"; expected "data" or "body" or "file"',
    });
  });

  test('a body that is too large', async () => {
    const response = await send('/predictions/digits', new Uint8Array(3 * 1024 ** 2));
    expect(response.status).toBe(413);
    expect(await response.json()).toMatchObject({ code: 413, type: 'BadRequestException' });
  });
});

test('GET /ping says Healthy, and Unhealthy once it stops', async () => {
  await using stopping = await startGateway({
    files: { 'models/plain/1/model.onnx': identityModel('FP32', ['batch', 2]) },
  });
  const ping = await fetch(stopping.url('/ping'));
  expect([ping.status, await ping.json()]).toEqual([200, { status: 'Healthy' }]);
  stopping.server.gateway.beginStop();
  const unhealthy = await fetch(stopping.url('/ping'));
  expect([unhealthy.status, await unhealthy.json()]).toEqual([503, { status: 'Unhealthy' }]);
});

test('the map keeps its order where labels are numbers, and the best of those that share a label', () => {
  const classes = [
    { classId: 7, label: '7', confidence: 0.5 },
    { classId: 2, label: '2', confidence: 0.3 },
    { classId: 9, label: '7', confidence: 0.2 },
  ];
  expect(classesJson([classes])).toBe('{"7":0.5,"2":0.3}');
});

test('a variant on a TorchServe gets such a call as it is, and its answer comes back', async () => {
  const upstream = { url: gateway.url(''), protocol: 'torchserve', version: 2 };
  const variants = [{ name: 'v1', weight: 1, upstream }];
  await using first = await startGateway({
    files: { 'models/README': '', 'experiments/digits.yaml': experimentFile({ variants }) },
  });
  const itself = await (await send('/predictions/digits/2')).json();
  for (const body of [scan, form([scan], 'data')]) {
    const through = await fetch(first.url('/predictions/digits'), { method: 'POST', body });
    expect(through.headers.get('x-experiment')).toBe('digits-cnn=v1');
    expect(await through.json()).toEqual(itself);
  }
});

test('an experiment that names its units by a request parameter finds it in the JSON', async () => {
  await using own = await startGateway({
    files: {
      'models/digits/1/model.onnx': identityModel('FP32', ['batch', 1]),
      'models/digits/2/model.onnx': identityModel('FP32', ['batch', 1]),
      'experiments/digits.yaml': experimentFile({
        variants: [
          { name: 'v1', version: 1, weight: 1 },
          { name: 'v2', version: 2, weight: 1 },
        ],
        hashAttribute: { json: 'parameters.user' },
      }),
    },
  });
  const variantOf = async (path: string, user: string): Promise<string | null> => {
    const inputs = [{ name: 'INPUT', shape: [1, 1], datatype: 'FP32', data: [1] }];
    const body = JSON.stringify({ inputs, parameters: { user } });
    const response = await fetch(own.url(path), { method: 'POST', body });
    expect(response.status).toBe(200);
    return response.headers.get('x-experiment');
  };
  const users = Array.from({ length: 16 }, (_, index) => `user-${index}`);
  const [here, there] = await Promise.all(
    ['/predictions/digits', '/v2/models/digits/infer'].map((path) =>
      Promise.all(users.map((user) => variantOf(path, user))),
    ),
  );
  expect(here).toEqual(there);
  expect(new Set(here).size).toBe(2);
});
