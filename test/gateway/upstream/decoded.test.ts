import { expect, test } from 'vitest';
import { newBatchId } from '../../../backends/batching/batch-id.ts';
import { GrpcClient, inferRequest } from '../faces/grpc/grpc-client.ts';
import { infer, startUpstreamGateway } from './upstream-gateway.ts';
import { ANSWER, answers42, json, startVariantServer } from './variant-server.ts';

const ASKED = inferRequest({
  model_name: 'digits',
  inputs: [{ name: 'INPUT', datatype: 'FP32', shape: [1, 1] }],
  raw_input_contents: [Buffer.from(Float32Array.of(7).buffer)],
});

const valueIn = ({ raw_output_contents }: Readonly<Record<string, unknown>>): number | undefined =>
  (raw_output_contents as readonly Buffer[])[0]?.readFloatLE(0);

test('a caller of gRPC is answered by a v2 server over HTTP, in binary, under its own trace', async () => {
  await using server = await startVariantServer();
  await using gateway = await startUpstreamGateway(server.url, { grpc: true });
  using client = new GrpcClient(gateway.server.bound.grpc ?? '');
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
  const { message, headers } = await client.call('ModelInfer', ASKED, { traceparent });
  expect(valueIn(message)).toBe(42);
  expect(headers).toMatchObject({ 'x-experiment': 'digits-cnn=v3', 'x-experiment-reason': 'split' });
  const [arrived] = server.arrived;
  expect(arrived?.headers).toMatchObject({ traceparent, 'content-type': 'application/octet-stream' });
  expect(arrived?.body.subarray(-4).readFloatLE(0)).toBe(7);
});

test('what KServe leaves out of an answer it writes as null', async () => {
  await using server = await startVariantServer((response) => {
    const outputs = ANSWER.outputs.map((output) => ({ ...output, parameters: null }));
    json(response, 200, { ...ANSWER, model_version: null, parameters: null, outputs });
  });
  await using gateway = await startUpstreamGateway(server.url, { grpc: true });
  using client = new GrpcClient(gateway.server.bound.grpc ?? '');
  const { message, headers } = await client.call('ModelInfer', ASKED);
  expect([valueIn(message), headers['x-experiment-reason']]).toEqual([42, 'split']);
});

test('its answer is a batch of its own among those of all variants: their times are counted once for each', async () => {
  await using server = await startVariantServer();
  await using gateway = await startUpstreamGateway(server.url, { grpc: true });
  using client = new GrpcClient(gateway.server.bound.grpc ?? '');
  const before = newBatchId();
  await client.call('ModelInfer', ASKED);
  expect(newBatchId()).toBe(before + 2);
});

test.each([
  ['no JSON', '<html>'],
  ['an output of another length', { outputs: [{ name: 'OUTPUT', datatype: 'FP32', shape: [2], data: [1] }] }],
  ['no outputs', {}],
])('an answer of %s gives way to the control', async (_, answer) => {
  await using server = await startVariantServer((response) => {
    json(response, 200, answer);
  });
  await using gateway = await startUpstreamGateway(server.url, { grpc: true });
  using client = new GrpcClient(gateway.server.bound.grpc ?? '');
  const { message, headers } = await client.call('ModelInfer', ASKED);
  expect(valueIn(message)).toBe(7);
  expect(headers['x-experiment-reason']).toBe('fallback');
  server.behaviour = answers42;
  expect(valueIn((await client.call('ModelInfer', ASKED)).message)).toBe(42);
});

test('an answer that is no JSON is told in the log as the server’s, and not as the request', async () => {
  await using server = await startVariantServer((response) => {
    response.end('{"outputs": [');
  });
  await using gateway = await startUpstreamGateway(server.url, {
    grpc: true,
    experiment: { onUnavailable: 'error' },
  });
  using client = new GrpcClient(gateway.server.bound.grpc ?? '');
  await expect(client.call('ModelInfer', ASKED)).rejects.toThrow('answers with what is not the protocol');
  expect(gateway.log.find((line) => line.includes('is not the protocol'))).toContain(
    "the answer can't be read: failed to parse the answer JSON",
  );
});

test('answers of another server are never kept, whatever the model’s own versions do: a swap there could not be told', async () => {
  await using server = await startVariantServer((response, { body }) => {
    response.setHeader('x-cache', 'hit');
    answers42(response, { path: '', headers: {}, body });
  });
  const cached = { 'models/digits/config.yaml': 'response_cache: { enable: true }' };
  await using gateway = await startUpstreamGateway(server.url, { grpc: true, files: cached });
  using client = new GrpcClient(gateway.server.bound.grpc ?? '');
  for (let count = 0; count < 2; count++) {
    const decoded = await client.call('ModelInfer', ASKED);
    expect([valueIn(decoded.message), decoded.headers['x-cache']]).toEqual([42, undefined]);
    const passed = await infer(gateway);
    // Nor does it pass on what a cache over there says: this header is the gateway's own.
    expect([passed.value, passed.headers.get('x-cache')]).toEqual([42, null]);
  }
  expect(server.arrived).toHaveLength(4);
  const own = { headers: { 'x-experiment': 'v1' } };
  expect((await infer(gateway, own)).headers.get('x-cache')).toBe('miss');
  expect((await infer(gateway, own)).headers.get('x-cache')).toBe('hit');
});

test('a call that is decoded keeps its id and its parameters, and no version is made up', async () => {
  await using server = await startVariantServer();
  await using gateway = await startUpstreamGateway(server.url, { grpc: true, upstream: { tensors: 'json' } });
  using client = new GrpcClient(gateway.server.bound.grpc ?? '');
  const { message } = await client.call('ModelInfer', {
    ...ASKED,
    id: 'request-1',
    parameters: {
      temperature: { double_param: 0.5 },
      tenant: { string_param: 'shop' },
      timeout: { int64_param: 9000 },
    },
  });
  expect(message).toMatchObject({ id: 'request-1', model_version: '' });
  expect(JSON.parse(String(server.arrived[0]?.body))).toMatchObject({
    id: 'request-1',
    parameters: { temperature: 0.5, tenant: 'shop', timeout: 9000 },
  });
});

/** A whole number that a double can't hold. */
const ID = '9007199254740993';

test.each(['json', 'binary'] as const)(
  'the parameters of single inputs and outputs are passed on, as %s, but for those that the gateway heeds itself',
  async (tensors) => {
    await using server = await startVariantServer();
    await using gateway = await startUpstreamGateway(server.url, {
      grpc: true,
      upstream: { tensors },
      // What counts rows is decoded, of HTTP too.
      config: 'limits: { models: { digits: 10/h burst 10 } }',
    });
    using client = new GrpcClient(gateway.server.bound.grpc ?? '');
    const scale = {
      scale: { double_param: 0.5 },
      id: { int64_param: ID },
      classification: { int64_param: 0 },
    };
    await client.call('ModelInfer', {
      ...ASKED,
      inputs: [{ name: 'INPUT', datatype: 'FP32', shape: [1, 1], parameters: scale }],
      outputs: [{ name: 'OUTPUT', parameters: { form: { string_param: 'log' } } }],
    });
    const inputs = [
      {
        name: 'INPUT',
        shape: [1, 1],
        datatype: 'FP32',
        data: [7],
        parameters: { scale: 0.5, id: JSON.rawJSON(ID) },
      },
    ];
    const outputs = [{ name: 'OUTPUT', parameters: { form: 'log', binary_data: false } }];
    expect((await infer(gateway, { body: JSON.stringify({ inputs, outputs }) })).value).toBe(42);
    for (const { headers, body } of server.arrived) {
      const length = headers['inference-header-content-length'];
      const text = String(body.subarray(0, length === undefined ? body.length : Number(length)));
      expect(text).toContain(`"id":${ID}`);
      const sent: unknown = JSON.parse(text);
      expect(sent).toMatchObject({
        inputs: [
          { name: 'INPUT', parameters: { scale: 0.5, ...(tensors === 'binary' && { binary_data_size: 4 }) } },
        ],
        outputs: [
          { name: 'OUTPUT', parameters: { form: 'log', ...(tensors === 'binary' && { binary_data: true }) } },
        ],
      });
      expect(JSON.stringify(sent)).not.toMatch(/classification|binary_data":false/);
    }
    expect(server.arrived).toHaveLength(2);
  },
);

test.each([
  [
    'of a type that is not known here',
    { inputs: [{ name: 'INPUT', datatype: 'BF16', shape: [-1, 1] }], outputs: [] },
  ],
  ['that is none', { name: 'digits' }],
])('metadata %s leaves a server ready: its bodies are passed on as they come', async (_, metadata) => {
  await using server = await startVariantServer(answers42, metadata);
  await using gateway = await startUpstreamGateway(server.url);
  expect((await infer(gateway)).value).toBe(42);
});

test('where a limit counts rows, a body that would be passed on counts for all of them', async () => {
  await using server = await startVariantServer();
  await using gateway = await startUpstreamGateway(server.url, {
    config: 'limits: { models: { digits: 10/h burst 10 } }',
  });
  const rows = (count: number): RequestInit => ({
    body: JSON.stringify({
      inputs: [{ name: 'INPUT', shape: [count, 1], datatype: 'FP32', data: Array(count).fill(1) }],
    }),
  });
  expect((await infer(gateway, rows(8))).value).toBe(42);
  expect((await infer(gateway, rows(8))).status).toBe(429);
  expect((await infer(gateway, rows(2))).value).toBe(42);
  expect(server.arrived).toHaveLength(2);
});
