/** A key for one model, with every scope: what it may not learn of the experiments on the others, nor do to them. */
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
const SCOPES = '[infer, override, outcomes, "admin:read", "admin:write"]';
/** What only somebody who may know of the other model can say. */
const OF_OTHERS = /hidden|stealthy|covert|secret/;

const experiment = (key: string, model: string, variants: readonly string[], metric: string): string =>
  `key: ${key}
model: ${model}
status: running
hashAttribute: x-user-id
control: ${variants[0] ?? ''}
variants:
${variants.map((name, at) => `  - { name: ${name}, version: ${at + 1}, weight: 1 }\n`).join('')}metrics:
  - { name: ${metric}, kind: proportion, role: goal }
`;

let gateway: RunningGateway;
let client: GrpcClient;
beforeAll(async () => {
  gateway = await startGateway({
    admin: true,
    grpc: true,
    config: 'auth: { keys: ./keys.yaml }\n',
    files: {
      'models/mine/1/model.onnx': addingModel(1),
      'models/mine/2/model.onnx': addingModel(2),
      'models/secret/1/model.onnx': addingModel(40),
      'models/secret/2/model.onnx': addingModel(41),
      'experiments/mine.yaml': experiment('own', 'mine', ['a', 'b'], 'clicked'),
      'experiments/hidden.yaml': experiment('hidden', 'secret', ['stealthy', 'covert'], 'secretly'),
      'keys.yaml': keysYaml([narrow, `scopes: ${SCOPES}, models: [mine]`], [root, `scopes: ${SCOPES}`]),
    },
  });
  client = new GrpcClient(gateway.server.bound.grpc ?? '');
});
afterAll(async () => {
  client[Symbol.dispose]();
  await gateway[Symbol.asyncDispose]();
});

const INPUT = { name: 'INPUT', datatype: 'FP32', shape: [1, 2], data: [1, 2] };

async function send(method: string, path: string, body?: object, headers: Record<string, string> = {}) {
  const base = path.startsWith('/api') ? `http://${gateway.server.bound.admin ?? ''}` : gateway.url('');
  const response = await fetch(base + path, {
    method,
    headers: { 'x-api-key': narrow.text, ...headers },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  return { status: response.status, text: await response.text(), headers: response.headers };
}

const infer = (model: string, headers: Record<string, string>) =>
  send('POST', `/v2/models/${model}/infer`, { inputs: [INPUT] }, { 'x-user-id': 'ada', ...headers });

async function predictionOf(model: string): Promise<string> {
  const { headers } = await infer(model, { 'x-api-key': root.text });
  return headers.get('x-prediction-id') ?? '';
}

const CONTEXT = { context: { targetingKey: 'ada' } };

describe('OpenFeature', () => {
  test('the list has the flags of its own models only', async () => {
    const { status: answered, text } = await send('POST', '/ofrep/v1/evaluate/flags', CONTEXT);
    expect([answered, text]).toEqual([200, expect.stringContaining('"key":"own"')]);
    expect(text).not.toMatch(OF_OTHERS);
    const all = await send('POST', '/ofrep/v1/evaluate/flags', CONTEXT, { 'x-api-key': root.text });
    expect(all.text).toContain('"key":"hidden"');
  });

  test('the flag of another model is answered as one that is not there, and no key of others is named', async () => {
    const flag = (key: string) => send('POST', `/ofrep/v1/evaluate/flags/${key}`, CONTEXT);
    const [others, none] = [await flag('hidden'), await flag('nobody')];
    expect([others.status, none.status]).toEqual([404, 404]);
    expect(others.text.replaceAll('hidden', 'nobody')).toBe(none.text);
    expect(none.text).toContain('there are: own');
    expect(none.text).not.toMatch(OF_OTHERS);
    expect((await flag('own')).status).toBe(200);
  });
});

describe('X-Experiment', () => {
  test.each(['hidden=stealthy', 'hidden=zz', 'nobody=zz'])(
    '%s is an unknown experiment, and only its own are named',
    async (header) => {
      const key = header.split('=')[0] ?? '';
      const message = `unknown experiment "${key}"; known experiments: own`;
      const { status: answered, text } = await infer('mine', { 'x-experiment': header });
      expect([answered, JSON.parse(text)]).toEqual([400, { error: message }]);
      const call = client.call(
        'ModelInfer',
        { model_name: 'mine', inputs: [] },
        { 'x-api-key': narrow.text, 'x-experiment': header },
      );
      await expect(call).rejects.toMatchObject({ code: status.INVALID_ARGUMENT, details: message });
    },
  );

  test('a key for all models may name experiments of other models, and its own are followed', async () => {
    const { status: answered } = await infer('mine', {
      'x-experiment': 'hidden=stealthy; own=b',
      'x-api-key': root.text,
    });
    expect(answered).toBe(200);
    expect((await infer('mine', { 'x-experiment': 'own=b' })).headers.get('x-experiment')).toBe('own=b');
  });
});

describe('outcomes', () => {
  test('one of another model’s prediction is told what a forged one is, and is not counted', async () => {
    const prediction_id = await predictionOf('secret');
    const rejectionOf = async (outcome: object): Promise<unknown> => {
      const { text } = await send('POST', '/v1/outcomes', outcome);
      return JSON.parse(text) as unknown;
    };
    const forged = await rejectionOf({ prediction_id: 'forged', metric: 'secretly', value: 1 });
    expect(forged).toMatchObject({ accepted: 0, rejected: [{ code: 'bad_signature' }] });
    expect(await rejectionOf({ prediction_id, metric: 'secretly', value: 1 })).toEqual(forged);
    expect(await rejectionOf({ prediction_id, metric: 'wrong', value: 1 })).toEqual(forged);
    // It was not taken: whoever may send it is the first to.
    const sent = await send(
      'POST',
      '/v1/outcomes',
      { prediction_id, metric: 'secretly', value: 1 },
      { 'x-api-key': root.text },
    );
    expect(JSON.parse(sent.text)).toEqual({ accepted: 1, rejected: [] });
  });

  test('those of its own model’s predictions are taken', async () => {
    const { text } = await send('POST', '/v1/outcomes', {
      prediction_id: await predictionOf('mine'),
      metric: 'clicked',
      value: 1,
    });
    expect(JSON.parse(text)).toEqual({ accepted: 1, rejected: [] });
  });
});

test.each([
  ['GET', ''],
  ['GET', '/results'],
  ['POST', '/pause'],
])('the control plane answers %s …/hidden%s as for an experiment that is not there', async (method, path) => {
  const body = method === 'POST' ? { reason: 'because' } : undefined;
  const ask = (key: string) => send(method, `/api/experiments/${key}${path}`, body);
  const [others, none] = [await ask('hidden'), await ask('nobody')];
  expect([others.status, none.status]).toEqual([404, 404]);
  expect(others.text.replaceAll('hidden', 'nobody')).toBe(none.text);
  expect(none.text).not.toMatch(OF_OTHERS);
});
