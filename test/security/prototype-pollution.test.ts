import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { GrpcClient, inferRequest } from '../gateway/faces/grpc/grpc-client.ts';
import { experimentFile, startGateway } from '../gateway/running-gateway.ts';
import type { RunningGateway } from '../gateway/running-gateway.ts';
import { identityModel } from '../models/onnx-graph.ts';

let gateway: RunningGateway;
beforeAll(async () => {
  gateway = await startGateway({
    grpc: true,
    admin: true,
    files: {
      'models/simple/1/model.onnx': identityModel('FP32', ['batch', 4]),
      'models/simple/2/model.onnx': identityModel('FP32', ['batch', 4]),
      'experiments/simple.yaml': experimentFile({
        key: 'simple-test',
        model: 'simple',
        hashAttribute: { json: 'parameters.polluted' },
        match: [{ query: { polluted: 'yes' }, variant: 'v2' }],
      }),
    },
  });
});
afterAll(() => gateway[Symbol.asyncDispose]());
afterEach(() => {
  expect(Object.keys(Object.prototype)).toEqual([]);
  expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
});

const INPUT = { name: 'INPUT', shape: [1, 4], datatype: 'FP32', data: [1, 2, 3, 4] };
const POLLUTION = '"__proto__":{"polluted":"yes"},"constructor":{"prototype":{"polluted":"yes"}}';

const post = (path: string, body: string, base = gateway.url('')) =>
  fetch(base + path, { method: 'POST', body, headers: { 'content-type': 'application/json' } });

/** The body with the pollution in it wherever an object begins. */
function polluted(value: object): string {
  return JSON.stringify(value).replaceAll('{', `{${POLLUTION},`).replaceAll(',}', '}');
}

test('an inference takes its own keys only: what is inherited decides nothing', async () => {
  const response = await post('/v2/models/simple/infer', polluted({ inputs: [INPUT], parameters: { a: 1 } }));
  expect(response.status).toBe(200);
  // Without a unit of its own it is split at random; were the parameter seen, it would be the unit "yes".
  expect(response.headers.get('x-experiment-reason')).toBe('split');
});

test('parameters of the query that are called __proto__ are none', async () => {
  const response = await post(
    '/v2/models/simple/infer?__proto__[polluted]=yes&__proto__=yes&constructor=yes',
    JSON.stringify({ inputs: [INPUT] }),
  );
  expect(response.status).toBe(200);
  expect(response.headers.get('x-experiment-reason')).toBe('split');
});

test.each([
  ['/v1/outcomes', { prediction_id: 'a', metric: '__proto__', value: 1 }],
  ['/ofrep/v1/evaluate/flags', { context: { targetingKey: 'ada' } }],
  ['/ofrep/v1/evaluate/flags/__proto__', { context: { targetingKey: 'ada' } }],
  ['/v2/repository/index', {}],
  ['/v2/repository/models/__proto__/load', { parameters: {} }],
  ['/v2/models/__proto__/infer', { inputs: [INPUT] }],
  ['/v2/models/constructor/infer', { inputs: [INPUT] }],
  ['/v2/logging', { log_verbose_level: 1 }],
])('%s', async (path, body) => {
  const { status } = await post(path, polluted(body));
  expect(status).toBeLessThan(500 + (path.endsWith('/load') ? 4 : 0));
});

test.each(['promote', 'pause', 'resume', 'rollback'])('the control plane: %s', async (action) => {
  const admin = `http://${gateway.server.bound.admin ?? ''}`;
  const { status } = await post(
    `/api/experiments/simple-test/${action}`,
    polluted({ reason: 'a', dryRun: true }),
    admin,
  );
  expect(status).toBeLessThan(500);
  expect((await post(`/api/experiments/__proto__/${action}`, '{}', admin)).status).toBe(404);
});

test('fields of a form', async () => {
  const form = new FormData();
  form.append('__proto__', new Blob(['a']), 'a.png');
  form.append('constructor', 'a');
  const { status } = await fetch(gateway.url('/predict/simple'), { method: 'POST', body: form });
  expect(status).toBe(400);
});

test('parameters over gRPC', async () => {
  using client = new GrpcClient(gateway.server.bound.grpc ?? '');
  const parameters = Object.fromEntries(
    ['__proto__', 'constructor', 'toString'].map((name) => [name, { string_param: 'yes' }]),
  );
  const { headers } = await client.call('ModelInfer', inferRequest({ parameters }));
  expect(headers['x-experiment-reason']).toBe('split');
});

const INHERITED = ['constructor', 'toString', '__proto__', 'valueOf', 'hasOwnProperty'];

test.each(INHERITED)("a datatype called %s is the caller's mistake", async (datatype) => {
  const json = await post('/v2/models/simple/infer', JSON.stringify({ inputs: [{ ...INPUT, datatype }] }));
  expect(json.status).toBe(400);
  expect(await json.text()).toContain(`datatype is '${datatype}'; expected one of BOOL, `);
  const head = JSON.stringify({
    inputs: [{ name: 'INPUT', shape: [1, 4], datatype, parameters: { binary_data_size: 16 } }],
  });
  const binary = await fetch(gateway.url('/v2/models/simple/infer'), {
    method: 'POST',
    body: Buffer.concat([Buffer.from(head), Buffer.alloc(16)]),
    headers: { 'inference-header-content-length': String(head.length) },
  });
  expect(binary.status).toBe(400);
  using client = new GrpcClient(gateway.server.bound.grpc ?? '');
  const input = { name: 'INPUT', shape: [1, 4], datatype, contents: { fp32_contents: [1, 2, 3, 4] } };
  const message = { ...inferRequest({}), inputs: [input], raw_input_contents: [] };
  await expect(client.call('ModelInfer', message)).rejects.toMatchObject({ code: 3 });
});

test.each(INHERITED)('a coding called %s is none', async (coding) => {
  const inputs = [{ ...INPUT, shape: [32, 4], data: Array(128).fill(1 / 3) }];
  const body = JSON.stringify({ inputs });
  const response = await fetch(gateway.url('/v2/models/simple/infer'), {
    method: 'POST',
    body,
    headers: { 'accept-encoding': coding },
  });
  expect(response.headers.get('content-encoding')).toBeNull();
  expect(response.status).toBe(200);
  const coded = await fetch(gateway.url('/v2/models/simple/infer'), {
    method: 'POST',
    body,
    headers: { 'content-encoding': coding },
  });
  expect(coded.status).toBe(400);
  expect(await coded.text()).toContain('unsupported Content-Encoding');
});
