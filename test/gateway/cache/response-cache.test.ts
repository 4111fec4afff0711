import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encodeModel } from '../../models/onnx-graph.ts';
import { findRedis, startRedis } from '../../servers/redis-server.ts';
import type { RunningRedis } from '../../servers/redis-server.ts';
import { GrpcClient } from '../faces/grpc/grpc-client.ts';
import { DEMO_FOLDER, eventually, experimentFile, metricValue, startGateway } from '../running-gateway.ts';
import type { RunningGateway } from '../running-gateway.ts';

const demoFile = (file: string): Promise<Buffer> => readFile(join(DEMO_FOLDER, file));

/** `OUTPUT = 1 / INPUT`. */
const RECIPROCAL = encodeModel({
  inputs: [{ name: 'INPUT', datatype: 'FP32', shape: ['batch', 1] }],
  outputs: [{ name: 'OUTPUT', datatype: 'FP32', shape: ['batch', 1] }],
  nodes: [{ op: 'Reciprocal', inputs: ['INPUT'], outputs: ['OUTPUT'] }],
});

async function startCached(config = ''): Promise<RunningGateway> {
  const cached = 'response_cache: { enable: true }\n';
  return startGateway({
    config,
    grpc: true,
    files: {
      'models/digits/1/model.onnx': await demoFile('models/digits/1/model.onnx'),
      'models/digits/2/model.onnx': await demoFile('models/digits/2/model.onnx'),
      'models/digits/labels.txt': await demoFile('models/digits/labels.txt'),
      'models/digits/config.yaml': `${await readFile(join(DEMO_FOLDER, 'models/digits/config.yaml'), 'utf8')}\n${cached}`,
      'models/reciprocal/1/model.onnx': RECIPROCAL,
      'models/reciprocal/config.yaml': cached,
      'models/plain/1/model.onnx': RECIPROCAL,
      'experiments/digits.yaml': experimentFile(),
    },
  });
}

function ask(gateway: RunningGateway, model: string, value: number, binary = false): Promise<Response> {
  return fetch(gateway.url(`/v2/models/${model}/infer`), {
    method: 'POST',
    body: JSON.stringify({
      inputs: [{ name: 'INPUT', datatype: 'FP32', shape: [1, 1], data: [value] }],
      parameters: { binary_data_output: binary },
    }),
  });
}

const cacheOf = async (asked: Promise<Response>): Promise<readonly [number, string | null]> => {
  const response = await asked;
  await response.arrayBuffer();
  return [response.status, response.headers.get('x-cache')];
};

describe('in memory', () => {
  let gateway: RunningGateway;
  beforeAll(async () => {
    gateway = await startCached();
  });
  afterAll(() => gateway[Symbol.asyncDispose]());

  test('an answer says whether it was kept, and one of a model without a cache says nothing', async () => {
    expect(await cacheOf(ask(gateway, 'reciprocal', 4))).toEqual([200, 'miss']);
    expect(await cacheOf(ask(gateway, 'reciprocal', 4))).toEqual([200, 'hit']);
    expect(await (await ask(gateway, 'reciprocal', 4)).json()).toMatchObject({ outputs: [{ data: [0.25] }] });
    expect(await cacheOf(ask(gateway, 'plain', 4))).toEqual([200, null]);
    const metrics = await gateway.metrics();
    expect(metricValue(metrics, 'signalbox_cache_requests_total', { result: 'hit' })).toBeGreaterThanOrEqual(
      2,
    );
    const stats: unknown = await (await fetch(gateway.url('/v2/models/reciprocal/stats'))).json();
    expect(stats).toMatchObject({
      model_stats: [
        { inference_stats: { success: { count: 3 }, cache_hit: { count: 2 }, cache_miss: { count: 1 } } },
      ],
    });
  });

  test('in gRPC it is initial metadata, and what HTTP kept serves it; without a cache there is none', async () => {
    using client = new GrpcClient(gateway.server.bound.grpc ?? '');
    const call = async (model: string, value: number) => {
      const { message, headers } = await client.call('ModelInfer', {
        model_name: model,
        inputs: [{ name: 'INPUT', datatype: 'FP32', shape: [1, 1] }],
        raw_input_contents: [Buffer.from(Float32Array.of(value).buffer)],
      });
      const [output] = message.raw_output_contents as readonly Buffer[];
      return [headers['x-cache'], output?.readFloatLE(0)];
    };
    expect(await call('reciprocal', 32)).toEqual(['miss', 1 / 32]);
    expect(await call('reciprocal', 32)).toEqual(['hit', 1 / 32]);
    expect(await cacheOf(ask(gateway, 'reciprocal', 32))).toEqual([200, 'hit']);
    expect(await call('plain', 32)).toEqual([undefined, 1 / 32]);
  });

  test('infinity is refused in JSON each time, and given as binary data, a hit or not', async () => {
    for (let count = 0; count < 2; count++)
      expect((await cacheOf(ask(gateway, 'reciprocal', 0)))[0]).toBe(422);
    expect(await cacheOf(ask(gateway, 'reciprocal', 0, true))).toEqual([200, 'hit']);
  });

  test('an upload is looked up by its bytes, for each version apart', async () => {
    const body = await demoFile('images/0001.png');
    const predict = async (variant: string) => {
      const response = await fetch(gateway.url('/predict/digits'), {
        method: 'POST',
        body,
        headers: { 'x-experiment': variant },
      });
      const { version, predictions } = (await response.json()) as { version: unknown; predictions: unknown };
      return { cache: response.headers.get('x-cache'), version, predictions };
    };
    const [of1, of2] = [await predict('v1'), await predict('v2')];
    expect(of1).toMatchObject({ cache: 'miss', version: '1' });
    expect(of2).toMatchObject({ cache: 'miss', version: '2' });
    expect(of2.predictions).not.toEqual(of1.predictions);
    for (const [variant, first] of [
      ['v1', of1],
      ['v2', of2],
    ] as const)
      expect(await predict(variant)).toEqual({ ...first, cache: 'hit' });
  });
});

const found = await findRedis();
const program = found.kind === 'found' ? found.program : '';

describe.skipIf(found.kind === 'missing')('in Redis', () => {
  let server: RunningRedis;
  beforeAll(async () => {
    server = await startRedis(program);
  });
  afterAll(() => server[Symbol.asyncDispose]());

  test('an answer that one process kept serves another', async () => {
    const config = `cache: { redis: "${server.url}", ttl: 1m }`;
    await using one = await startCached(config);
    await using other = await startCached(config);
    // Each runs what it is asked until it is connected.
    for (const [gateway, value] of [
      [one, 2],
      [other, 4],
    ] as const)
      await eventually(async () => (await cacheOf(ask(gateway, 'reciprocal', value)))[1] === 'hit');
    // On a busy machine a look may take longer than it may; what was run for it is asked for no more.
    let value = 4;
    await eventually(async () => {
      value *= 2;
      await eventually(async () => (await cacheOf(ask(one, 'reciprocal', value)))[1] === 'hit');
      return (await cacheOf(ask(other, 'reciprocal', value)))[1] === 'hit';
    });
    expect(await (await ask(other, 'reciprocal', value)).json()).toMatchObject({
      outputs: [{ data: [1 / value] }],
    });
  });

  test('while it is away, or does not answer, requests run uncached and are counted', async () => {
    await using gateway = await startCached(`cache: { redis: "${server.url}" }`);
    await eventually(async () => (await cacheOf(ask(gateway, 'reciprocal', 16)))[1] === 'hit');
    const unavailable = async (): Promise<number> =>
      metricValue(await gateway.metrics(), 'signalbox_cache_requests_total', { result: 'unavailable' });
    server.freeze();
    const before = await unavailable();
    expect(await cacheOf(ask(gateway, 'reciprocal', 16))).toEqual([200, 'miss']);
    expect(await cacheOf(ask(gateway, 'reciprocal', 16))).toEqual([200, 'miss']);
    expect(await unavailable()).toBe(before + 2);
    server.thaw();
    await eventually(async () => (await cacheOf(ask(gateway, 'reciprocal', 16)))[1] === 'hit');
    await server.kill();
    expect(await cacheOf(ask(gateway, 'reciprocal', 16))).toEqual([200, 'miss']);
    await server.start();
  });
});
