import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { GrpcClient } from '../faces/grpc/grpc-client.ts';
import { experimentFile, startGateway } from '../running-gateway.ts';
import type { RunningGateway } from '../running-gateway.ts';
import { CHECKED_ONCE, infer } from './upstream-gateway.ts';
import { startVariantServer } from './variant-server.ts';
import type { VariantServer } from './variant-server.ts';

describe('of a model that lives only elsewhere', () => {
  let server: VariantServer;
  let gateway: RunningGateway;
  let client: GrpcClient;
  beforeAll(async () => {
    server = await startVariantServer();
    const upstream = { url: server.url, health: CHECKED_ONCE };
    const variants = [
      { name: 'v1', weight: 1, upstream: { ...upstream, version: 7 } },
      { name: 'v2', weight: 0, upstream },
    ];
    gateway = await startGateway({
      grpc: true,
      files: { 'models/README': '', 'experiments/digits.yaml': experimentFile({ variants }) },
    });
    client = new GrpcClient(gateway.server.bound.grpc ?? '');
    expect(await infer(gateway)).toMatchObject({ status: 200, value: 42 });
  });
  afterAll(async () => {
    client[Symbol.dispose]();
    await gateway[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
  });

  const get = async (path: string): Promise<unknown> => {
    const response = await fetch(gateway.url(path));
    return response.status === 200 ? response.json() : response.status;
  };

  test('the configuration has what its server says of it, over HTTP and gRPC', async () => {
    const tensor = (name: string): object => ({ name, data_type: 'TYPE_FP32', dims: [-1, 1] });
    expect(await get('/v2/models/digits/config')).toEqual({
      name: 'digits',
      platform: 'elsewhere',
      backend: '',
      max_batch_size: 0,
      input: [tensor('INPUT')],
      output: [tensor('OUTPUT')],
    });
    const { message } = await client.call('ModelConfig', { name: 'digits' });
    expect(message.config).toMatchObject({
      name: 'digits',
      max_batch_size: 0,
      input: [{ name: 'INPUT', data_type: 'TYPE_FP32', dims: ['-1', '1'] }],
    });
  });

  test('the statistics have what each variant’s server answered through this gateway', async () => {
    for (const path of ['/v2/models/digits/stats', '/v2/models/stats']) {
      expect(await get(path), path).toMatchObject({
        model_stats: [
          { name: 'digits', version: '7', inference_stats: { success: { count: 1 }, fail: { count: 0 } } },
          { name: 'digits', version: '', inference_stats: { success: { count: 0 } } },
        ],
      });
    }
    const { message } = await client.call('ModelStatistics', { name: 'digits' });
    expect(message.model_stats).toMatchObject([
      { version: '7', inference_stats: { success: { count: '1' } } },
      { version: '' },
    ]);
  });

  test('trace settings are told as of every model', async () => {
    expect(await get('/v2/models/digits/trace/setting')).toHaveProperty('trace_level');
    const { message } = await client.call('TraceSetting', { model_name: 'digits', settings: {} });
    expect(message).toHaveProperty('settings.trace_level');
  });

  test('no version can be named, as none is here, and another model is unknown all the same', async () => {
    for (const path of [
      'digits/versions/7/config',
      'digits/versions/7/stats',
      'other/config',
      'other/stats',
      'other/trace/setting',
    ])
      expect(await get(`/v2/models/${path}`), path).toBe(404);
  });
});
