/** A key for one model, with every scope: what it may not learn of the others, nor do to them, on any face. */
import { status } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createKey } from '../../gateway/trust/api-key.ts';
import { GrpcClient } from '../gateway/faces/grpc/grpc-client.ts';
import { keysYaml } from '../gateway/keys-yaml.ts';
import { startGateway } from '../gateway/running-gateway.ts';
import type { RunningGateway } from '../gateway/running-gateway.ts';
import { addingModel } from '../models/small-models.ts';

const narrow = createKey();
const root = createKey();
const SCOPES = '[infer, "admin:read", "admin:write"]';

let gateway: RunningGateway;
let client: GrpcClient;
beforeAll(async () => {
  gateway = await startGateway({
    admin: true,
    grpc: true,
    config:
      'auth: { keys: ./keys.yaml }\nmodels: { repository: ./models, control: explicit, load: [mine, ours] }\n',
    files: {
      'models/mine/1/model.onnx': addingModel(1),
      'models/ours/1/model.onnx': addingModel(2),
      'models/secret/1/model.onnx': addingModel(40),
      'keys.yaml': keysYaml([narrow, `scopes: ${SCOPES}, models: [mine, ours]`], [root, `scopes: ${SCOPES}`]),
    },
  });
  client = new GrpcClient(gateway.server.bound.grpc ?? '');
});
afterAll(async () => {
  client[Symbol.dispose]();
  await gateway[Symbol.asyncDispose]();
});

/** A configuration that makes an ensemble of one step. */
function ensembleOf(step: string): string {
  const tensor = (name: string) => [{ name, data_type: 'TYPE_FP32', dims: [2] }];
  return JSON.stringify({
    platform: 'ensemble',
    max_batch_size: 8,
    input: tensor('INPUT'),
    output: tensor('OUTPUT'),
    ensemble_scheduling: {
      step: [{ model_name: step, input_map: { INPUT: 'INPUT' }, output_map: { OUTPUT: 'OUTPUT' } }],
    },
  });
}

async function post(path: string, body: object = {}, key = narrow) {
  const onAdmin = /^\/(api|models)/.test(path);
  const base = onAdmin ? `http://${gateway.server.bound.admin ?? ''}` : gateway.url('');
  const headers = { 'x-api-key': key.text };
  const response = await fetch(base + path, { method: 'POST', headers, body: JSON.stringify(body) });
  return { status: response.status, text: await response.text() };
}

const loadOf = (step: string) => ({ parameters: { config: ensembleOf(step) } });

const namesIn = (text: string) => (JSON.parse(text) as { name: string }[]).map(({ name }) => name);

describe('a load’s own configuration', () => {
  test.each(['/api/models/mine/load', '/v2/repository/models/mine/load'])(
    'reaches no model of others: %s',
    async (path) => {
      const { status: answered, text } = await post(path, loadOf('secret'));
      expect([answered, text]).toEqual([403, expect.stringContaining("a step that is model 'secret'")]);
      expect(gateway.server.gateway.repository.model('secret')).toBeUndefined();
      // A model that nobody has is answered alike.
      expect((await post(path, loadOf('nobody'))).status).toBe(403);
    },
  );

  test('nor over gRPC', async () => {
    const parameters = { config: { string_param: ensembleOf('secret') } };
    const loading = client.call(
      'RepositoryModelLoad',
      { model_name: 'mine', parameters },
      { 'x-api-key': narrow.text },
    );
    await expect(loading).rejects.toMatchObject({ code: status.PERMISSION_DENIED });
    expect(gateway.server.gateway.repository.model('secret')).toBeUndefined();
  });

  test('reaches those of its own; and a key for all models reaches all', async () => {
    expect((await post('/api/models/mine/load', loadOf('ours'))).status).toBe(200);
    expect((await post('/api/models/mine/load', loadOf('secret'), root)).status).toBe(200);
    expect((await post('/api/models/mine/load')).status).toBe(200);
  });
});

test('a file in another model’s folder is not registered under an own name', async () => {
  const { status: answered, text } = await post('/models?url=secret/1/model.onnx&model_name=mine');
  expect([answered, text]).toEqual([403, expect.stringContaining("not for model 'secret'")]);
  expect((await post('/models?url=ours/1/model.onnx&model_name=mine')).status).toBe(200);
});

test('the index and the statistics have its own models only', async () => {
  const headers = { 'x-api-key': narrow.text };
  expect(new Set(namesIn((await post('/v2/repository/index')).text))).toEqual(new Set(['mine', 'ours']));
  expect(namesIn((await post('/v2/repository/index', {}, root)).text)).toContain('secret');
  const { message } = await client.call('RepositoryIndex', {}, headers);
  expect(JSON.stringify(message)).not.toContain('secret');
  await post('/api/models/secret/load', {}, root);
  const statistics = await fetch(gateway.url('/v2/models/stats'), { headers });
  expect(await statistics.text()).not.toContain('secret');
  expect(JSON.stringify((await client.call('ModelStatistics', {}, headers)).message)).not.toContain('secret');
});

test('the settings of the whole gateway are not its to change', async () => {
  const headers = { 'x-api-key': narrow.text };
  for (const [path, body] of [
    ['/v2/logging', { log_error: false, log_warning: false, log_info: false }],
    ['/v2/trace/setting', { trace_level: ['OFF'] }],
  ] as const)
    expect([path, (await post(path, body)).status]).toEqual([path, 403]);
  const settings = { log_info: { bool_param: false }, log_warning: { bool_param: false } };
  await expect(client.call('LogSettings', { settings }, headers)).rejects.toMatchObject({
    code: status.PERMISSION_DENIED,
  });
  const trace = client.call('TraceSetting', { settings: { trace_level: { value: ['OFF'] } } }, headers);
  await expect(trace).rejects.toMatchObject({ code: status.PERMISSION_DENIED });
  const read = await fetch(gateway.url('/v2/logging'), { headers });
  expect(await read.json()).toMatchObject({ log_info: true, log_error: true });
  expect((await post('/v2/models/mine/trace/setting', { trace_level: ['OFF'] })).status).toBe(200);
  expect((await post('/v2/logging', { log_info: true }, root)).status).toBe(200);
});
