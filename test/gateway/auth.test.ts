import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { Metadata, credentials, makeGenericClientConstructor, status } from '@grpc/grpc-js';
import fastify from 'fastify';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { INFERENCE } from '../../gateway/faces/grpc/definitions.ts';
import { admitByScope } from '../../gateway/faces/scoped-routes.ts';
import { createKey } from '../../gateway/trust/api-key.ts';
import type { NewKey } from '../../gateway/trust/api-key.ts';
import { addingModel } from '../models/small-models.ts';
import { keysYaml } from './keys-yaml.ts';
import { eventually, metricValue, startGateway } from './running-gateway.ts';
import type { RunningGateway } from './running-gateway.ts';

const keys = {
  full: createKey(),
  caller: createKey(),
  scraper: createKey(),
  narrow: createKey(),
  hurried: createKey(),
} as const satisfies Record<string, NewKey>;

const KEYS = keysYaml(
  [keys.full, 'scopes: [infer, override, metrics, "admin:write"]'],
  [keys.caller, 'scopes: [infer]'],
  [keys.scraper, 'scopes: [metrics]'],
  [keys.narrow, 'scopes: [infer, override], models: [other]'],
  [keys.hurried, 'scopes: [infer], rate: 2/h burst 2'],
);

const model = addingModel(1);
const BODY = JSON.stringify({ inputs: [{ name: 'INPUT', datatype: 'FP32', shape: [1, 2], data: [1, 2] }] });

let gateway: RunningGateway;

beforeAll(async () => {
  gateway = await startGateway({
    grpc: true,
    config: 'auth: { keys: ./keys.yaml }',
    files: {
      'keys.yaml': KEYS,
      'models/simple/1/model.onnx': model,
      'models/other/1/model.onnx': model,
      'experiments/a.yaml':
        'key: a\nmodel: simple\nstatus: running\ncontrol: v1\nvariants: [{ name: v1, version: 1, weight: 1 }]\n',
    },
  });
});
afterAll(() => gateway[Symbol.asyncDispose]());

function call(
  path: string,
  key?: string,
  headers: Record<string, string> = {},
  body?: string,
): Promise<Response> {
  return fetch(gateway.url(path), {
    headers: { ...headers, ...(key !== undefined && { authorization: `Bearer ${key}` }) },
    ...(body !== undefined && { method: 'POST', body }),
  });
}

const infer = (name: string, key?: string, headers?: Record<string, string>): Promise<Response> =>
  call(`/v2/models/${name}/infer`, key, headers, BODY);

async function errorOf(response: Response): Promise<string> {
  return ((await response.json()) as { error: string }).error;
}

describe('over HTTP', () => {
  test('health asks for no key, everything else does', async () => {
    for (const path of ['/health', '/v2/health/live', '/v2/health/ready', '/v2/models/simple/ready']) {
      expect((await call(path)).status, path).toBe(200);
    }
    for (const path of ['/v2', '/v2/models/simple', '/v2/models/stats', '/v2/models/simple/config']) {
      const response = await call(path);
      expect(response.status, path).toBe(401);
      expect(response.headers.get('www-authenticate')).toBe('Bearer');
    }
    expect((await infer('simple')).status).toBe(401);
    expect((await call('/predict', undefined, {}, 'x')).status).toBe(401);
  });

  test('a key opens what its scopes say', async () => {
    expect((await infer('simple', keys.caller.text)).status).toBe(200);
    expect((await infer('simple', keys.scraper.text)).status).toBe(403);
    expect((await call('/v2/logging', keys.caller.text, {}, '{}')).status).toBe(403);
    expect((await call('/v2/logging', keys.full.text, {}, '{}')).status).toBe(200);
  });

  test('X-Experiment needs the scope override, which is asked for before the names', async () => {
    const headers = { 'x-experiment': 'nobody=knows' };
    expect((await infer('simple', keys.caller.text, headers)).status).toBe(403);
    expect((await infer('simple', keys.full.text, headers)).status).toBe(400);
    expect((await infer('simple', keys.full.text, { 'x-experiment': 'v1' })).status).toBe(200);
  });

  test('a key for one model sees nothing of another, there or not', async () => {
    expect((await infer('other', keys.narrow.text)).status).toBe(200);
    for (const response of [
      await infer('simple', keys.narrow.text),
      await infer('nowhere', keys.narrow.text),
      await call('/v2/models/simple', keys.narrow.text),
      await call('/predict/simple', keys.narrow.text, {}, 'x'),
    ]) {
      expect(response.status).toBe(403);
    }
  });

  test('a key above its rate is told when to come again', async () => {
    const first = await infer('simple', keys.hurried.text);
    expect(first.headers.get('ratelimit-remaining')).toBe('1');
    await infer('simple', keys.hurried.text);
    const third = await infer('simple', keys.hurried.text);
    expect(third.status).toBe(429);
    expect(Number(third.headers.get('retry-after'))).toBeGreaterThan(1700);
    expect(third.headers.get('ratelimit-limit')).toBe('2');
    expect(await errorOf(third)).toBe(
      `${keys.hurried.id} may send 2 rows an hour, 2 of them at once; try again in ${third.headers.get('retry-after') ?? ''} s`,
    );
  });

  test('the metrics have a scope of their own, and count who was refused', async () => {
    const url = `http://${gateway.server.bound.metrics ?? ''}/metrics`;
    expect((await fetch(url)).status).toBe(401);
    const scrape = async (): Promise<string> =>
      (await fetch(url, { headers: { 'x-api-key': keys.scraper.text } })).text();
    const before = metricValue(await scrape(), 'signalbox_requests_total', { outcome: 'denied' });
    await infer('simple');
    await infer('simple', keys.narrow.text);
    const after = metricValue(await scrape(), 'signalbox_requests_total', { outcome: 'denied', model: '' });
    expect(after - before).toBe(2);
  });

  test('a body of a caller without a key is not waited for', async () => {
    const url = new URL(gateway.url('/v2/models/simple/infer'));
    const asking = request(url, { method: 'POST', headers: { 'content-length': '1000' } });
    asking.flushHeaders();
    const [response] = (await once(asking, 'response')) as [IncomingMessage];
    expect(response.statusCode).toBe(401);
    asking.destroy();
  });

  test('no key is in the log', () => {
    for (const { text } of Object.values(keys)) expect(gateway.log.join('')).not.toContain(text.slice(-43));
  });
});

describe('over gRPC', () => {
  const Client = makeGenericClientConstructor(INFERENCE.service, 'Inference');
  const ask = (method: string, message: object | Buffer, key?: string): Promise<number> => {
    const client = new Client(gateway.server.bound.grpc ?? '', credentials.createInsecure());
    const metadata = new Metadata();
    if (key !== undefined) metadata.set('x-api-key', key);
    const found = INFERENCE.service[method];
    if (found === undefined) throw new Error(`there is no method ${method}`);
    return new Promise((resolve) => {
      client.makeUnaryRequest(
        found.path,
        found.requestSerialize,
        (bytes: Buffer) => bytes,
        message,
        metadata,
        (error) => {
          client.close();
          resolve(error?.code ?? status.OK);
        },
      );
    });
  };

  test('the same keys, scopes and models hold', async () => {
    expect(await ask('ServerReady', {})).toBe(status.OK);
    expect(await ask('ModelReady', { name: 'simple' })).toBe(status.OK);
    expect(await ask('ServerMetadata', {})).toBe(status.UNAUTHENTICATED);
    expect(await ask('ServerMetadata', {}, keys.caller.text)).toBe(status.OK);
    expect(await ask('ServerMetadata', {}, keys.scraper.text)).toBe(status.PERMISSION_DENIED);
    expect(await ask('ModelMetadata', { name: 'simple' }, keys.narrow.text)).toBe(status.PERMISSION_DENIED);
    expect(await ask('ModelMetadata', { name: 'other' }, keys.narrow.text)).toBe(status.OK);
    expect(await ask('RepositoryModelLoad', { model_name: 'simple' }, keys.caller.text)).toBe(
      status.PERMISSION_DENIED,
    );
    expect(await ask('LogSettings', {}, keys.caller.text)).toBe(status.OK);
    const verbose = { settings: { log_verbose_level: { uint32_param: 1 } } };
    expect(await ask('LogSettings', verbose, keys.caller.text)).toBe(status.PERMISSION_DENIED);
    expect(await ask('ModelInfer', Buffer.alloc(0))).toBe(status.UNAUTHENTICATED);
  });
});

test('a route that declares no scope can not be registered', async () => {
  const app = fastify();
  admitByScope(app, gateway.server.gateway.door.admission);
  expect(() => app.get('/forgotten', () => 'x')).toThrow('GET /forgotten declares no scope');
  await app.close();
});

test('a revoked key opens nothing within a second, and a broken file changes nothing', async () => {
  const other = createKey();
  await using own = await startGateway({
    config: 'auth: { keys: ./keys.yaml }',
    files: {
      'models/simple/1/model.onnx': model,
      'keys.yaml': keysYaml([keys.caller, 'scopes: [infer]'], [other, 'scopes: [infer]']),
    },
  });
  const asks = async (key: NewKey): Promise<number> =>
    (await fetch(own.url('/v2'), { headers: { 'x-api-key': key.text } })).status;
  expect(await asks(other)).toBe(200);
  const file = join(own.folder.path, 'keys.yaml');
  await writeFile(file, keysYaml([keys.caller, 'scopes: [infer]']));
  await eventually(async () => (await asks(other)) === 401);
  await writeFile(file, 'keys: [');
  await eventually(() => own.log.some((line) => line.includes('keys refused')));
  expect(await asks(keys.caller)).toBe(200);
});

test('with keys, an address that strangers can reach needs no warning', async () => {
  await using own = await startGateway({
    config: 'auth: { keys: ./keys.yaml }',
    files: { 'models/simple/1/model.onnx': model, 'keys.yaml': 'keys: []\n' },
  });
  expect(own.log.join('')).not.toContain('there are no keys');
});
