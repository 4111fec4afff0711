import { request } from 'node:http';
import type { ClientRequest } from 'node:http';
import { status } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createKey } from '../../gateway/trust/api-key.ts';
import type { NewKey } from '../../gateway/trust/api-key.ts';
import { addingModel } from '../models/small-models.ts';
import { GrpcClient } from './faces/grpc/grpc-client.ts';
import { keysYaml } from './keys-yaml.ts';
import { eventually, metricValue, startGateway } from './running-gateway.ts';
import type { RunningGateway } from './running-gateway.ts';

const names = ['rows', 'small', 'daily', 'three', 'free', 'other', 'grpc', 'metadata'] as const;
const keys = Object.fromEntries(names.map((name) => [name, createKey()])) as Record<
  (typeof names)[number],
  NewKey
>;

let gateway: RunningGateway;
beforeAll(async () => {
  gateway = await startGateway({
    grpc: true,
    config:
      'auth: { keys: ./keys.yaml }\n' +
      'limits: { models: { scarce: 6/h burst 6 }, experiments: { a: 4/h burst 4 } }\n',
    files: {
      'keys.yaml': keysYaml(
        [keys.rows, 'scopes: [infer], rate: 10/h burst 10'],
        [keys.small, 'scopes: [infer], rate: 3/h burst 3'],
        [keys.daily, 'scopes: [infer], daily: 5'],
        [keys.three, 'scopes: [infer], concurrency: 3'],
        [keys.grpc, 'scopes: [infer], rate: 2/h burst 2'],
        [keys.metadata, 'scopes: [infer], rate: 2/h burst 2'],
        [keys.free, 'scopes: [infer]'],
        [keys.other, 'scopes: [infer]'],
      ),
      'models/simple/1/model.onnx': addingModel(1),
      'models/scarce/1/model.onnx': addingModel(1),
      'models/tested/1/model.onnx': addingModel(1),
      'experiments/a.yaml':
        'key: a\nmodel: tested\nstatus: running\ncontrol: v1\nvariants: [{ name: v1, version: 1, weight: 1 }]\n',
    },
  });
});
afterAll(() => gateway[Symbol.asyncDispose]());

function body(rows: number): string {
  const data = Array.from({ length: rows * 2 }, () => 1);
  return JSON.stringify({ inputs: [{ name: 'INPUT', datatype: 'FP32', shape: [rows, 2], data }] });
}

async function infer(key: NewKey, rows = 1, model = 'simple'): Promise<Response> {
  return fetch(gateway.url(`/v2/models/${model}/infer`), {
    method: 'POST',
    headers: { 'x-api-key': key.text },
    body: body(rows),
  });
}

async function refusalOf(response: Response): Promise<readonly [number, string]> {
  return [response.status, ((await response.json()) as { error: string }).error];
}

describe('a request counts for its rows', () => {
  test('and the answer says what is left', async () => {
    const first = await infer(keys.rows, 4);
    expect(first.status).toBe(200);
    expect(first.headers.get('ratelimit-limit')).toBe('10');
    expect(first.headers.get('ratelimit-remaining')).toBe('6');
    const [status, reason] = await refusalOf(await infer(keys.rows, 7));
    expect(status).toBe(429);
    // One row comes back in 360 s, of which a busy machine has let some go by.
    expect(reason).toMatch(
      new RegExp(
        `^${keys.rows.id} may send 10 rows an hour, 10 of them at once; try again in (360|3[0-5]\\d) s$`,
      ),
    );
    // What was refused took nothing.
    expect((await infer(keys.rows, 6)).headers.get('ratelimit-remaining')).toBe('0');
  });

  test('and more rows than may ever come at once are told so, with no time to try again', async () => {
    const refused = await infer(keys.small, 4);
    expect(refused.headers.has('retry-after')).toBe(false);
    expect((await refusalOf(refused))[1]).toContain('send fewer at once');
  });
});

test('a quota of the day is refused until midnight', async () => {
  expect((await infer(keys.daily, 3)).headers.get('ratelimit-remaining')).toBe('2');
  const refused = await infer(keys.daily, 3);
  expect(Number(refused.headers.get('retry-after'))).toBeLessThanOrEqual(86_400);
  expect((await refusalOf(refused))[1]).toContain(`${keys.daily.id} may send 5 rows a day (UTC)`);
  expect((await infer(keys.daily, 2)).status).toBe(200);
});

test('a model has a limit for all its callers, and so has an experiment; neither takes from a caller whom the other refuses', async () => {
  expect((await infer(keys.free, 4, 'scarce')).status).toBe(200);
  expect((await refusalOf(await infer(keys.other, 3, 'scarce')))[1]).toContain(
    'callers of model scarce may send 6 rows an hour',
  );
  expect((await infer(keys.other, 2, 'scarce')).status).toBe(200);
  expect((await infer(keys.free, 3, 'tested')).status).toBe(200);
  expect((await refusalOf(await infer(keys.other, 2, 'tested')))[1]).toContain('callers of experiment a');
  expect((await infer(keys.other, 8)).status).toBe(200);
});

test('a key has as many requests under way as it may, until one of them is answered or hung up', async () => {
  const held = new Set<ClientRequest>();
  // Its body never comes; where it is refused because the test's own question was under way, it is asked again.
  const hold = (): void => {
    const asking = request(gateway.url('/v2/models/simple/infer'), {
      method: 'POST',
      headers: { 'x-api-key': keys.three.text, 'content-length': '1000' },
    });
    held.add(asking);
    asking.on('error', () => undefined);
    asking.once('response', () => {
      held.delete(asking);
      asking.destroy();
      hold();
    });
    asking.flushHeaders();
  };
  for (let i = 0; i < 3; i++) hold();
  await eventually(async () => {
    const response = await infer(keys.three);
    if (response.status === 200) return false;
    expect(response.headers.get('retry-after')).toBe('1');
    expect(await refusalOf(response)).toEqual([
      429,
      `${keys.three.id} may have 3 requests under way at once; wait for the answer to one of them`,
    ]);
    return true;
  });
  const [first] = held;
  first?.destroy();
  await eventually(async () => (await infer(keys.three)).status === 200);
  for (const asking of held) asking.destroy();
});

test('over gRPC the limits are the same, and said in the metadata', async () => {
  using client = new GrpcClient(gateway.server.bound.grpc ?? '');
  const headers = { 'x-api-key': keys.grpc.text };
  const tensor = {
    name: 'INPUT',
    datatype: 'FP32',
    shape: [2, 2],
    contents: { fp32_contents: [1, 2, 3, 4] },
  };
  const message = { model_name: 'simple', inputs: [tensor] };
  const answer = await client.call('ModelInfer', message, headers);
  expect(answer.headers['ratelimit-remaining']).toBe('0');
  await expect(client.call('ModelInfer', message, headers)).rejects.toMatchObject({
    code: status.RESOURCE_EXHAUSTED,
  });
});

test('what is no inference counts for one', async () => {
  const read = () =>
    fetch(gateway.url('/v2/models/simple'), { headers: { 'x-api-key': keys.metadata.text } });
  expect((await read()).headers.get('ratelimit-remaining')).toBe('1');
  expect((await read()).status).toBe(200);
  expect((await read()).status).toBe(429);
});

test('each refusal is counted by the limit that made it', async () => {
  const text = await gateway.server.gateway.metrics.render();
  for (const limit of ['key', 'model', 'experiment', 'quota', 'concurrency']) {
    expect(metricValue(text, 'signalbox_limits_reached_total', { limit }), limit).toBeGreaterThan(0);
  }
  expect(metricValue(text, 'signalbox_requests_total', { outcome: 'limited' })).toBeGreaterThan(5);
});
