import { randomBytes } from 'node:crypto';
import { request } from 'node:http';
import type { ClientRequest } from 'node:http';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createKey } from '../../gateway/trust/api-key.ts';
import { identityModel } from '../models/onnx-graph.ts';
import { addingModel, slowModel } from '../models/small-models.ts';
import { keysYaml } from './keys-yaml.ts';
import { eventually, metricValue, startGateway } from './running-gateway.ts';
import type { RunningGateway } from './running-gateway.ts';
import { startUpstreamGateway } from './upstream/upstream-gateway.ts';
import { startVariantServer } from './upstream/variant-server.ts';

test('beyond the wait that callers bear, requests are refused at once, the low before the high, and the others are answered', async () => {
  const [low, high] = [createKey(), createKey()];
  await using gateway = await startGateway({
    config: 'auth: { keys: ./keys.yaml }\nlimits: { shedding: { wait: 200ms } }\n',
    files: {
      'keys.yaml': keysYaml(
        [low, 'scopes: [infer], priority: low'],
        [high, 'scopes: [infer], priority: high'],
      ),
      'models/slow/1/model.onnx': slowModel(48, 1500),
      'models/slow/config.yaml': 'max_batch_size: 1\ninstance_group: [{ count: 1, kind: KIND_CPU }]\n',
    },
  });
  const data = Array<number>(48 * 48).fill(0);
  const body = JSON.stringify({ inputs: [{ name: 'INPUT', datatype: 'FP32', shape: [1, 48, 48], data }] });
  const ask = (key: string): Promise<Response> =>
    fetch(gateway.url('/v2/models/slow/infer'), { method: 'POST', headers: { 'x-api-key': key }, body });
  // What a run costs has to be known before a wait can be told.
  for (let i = 0; i < 5; i++) expect((await ask(high.text)).status).toBe(200);
  const crowd = await Promise.all(Array.from({ length: 60 }, () => ask(low.text)));
  const refused = crowd.filter(({ status }) => status === 503);
  expect(new Set(crowd.map(({ status }) => status))).toEqual(new Set([200, 503]));
  expect(refused[0]?.headers.get('retry-after')).toMatch(/^[0-9]+$/);
  expect(((await refused[0]?.json()) as { error: string }).error).toContain(
    "for model 'slow' would wait about",
  );
  // While the low are turned away, the high are let in.
  const again = Array.from({ length: 60 }, () => ask(low.text));
  const urgent = ask(high.text);
  expect((await urgent).status).toBe(200);
  const statuses = (await Promise.all(again)).map(({ status }) => status);
  expect(statuses).toContain(503);
  // Who is turned away need not send its body first. On a busy machine all who wait may have been answered before it comes.
  const queue = gateway.server.gateway.repository.model('slow')?.version(1);
  await eventually(async () => {
    let isOver = false;
    const waiting = Promise.all(Array.from({ length: 60 }, () => ask(high.text))).then(() => (isOver = true));
    await eventually(() => isOver || (queue?.expectedWaitMs ?? 0) > 300);
    const status = await statusBeforeBody(gateway.url('/v2/models/slow/infer'), low.text, waiting);
    await waiting;
    return status === 503;
  });
  const text = await gateway.server.gateway.metrics.render();
  expect(metricValue(text, 'signalbox_shed_total', { reason: 'wait', model: 'slow' })).toBeGreaterThan(1);
  expect(
    metricValue(text, 'signalbox_requests_total', { outcome: 'shed', model: '', version: '' }),
  ).toBeGreaterThan(1);
});

/** What a request is answered of whose body nothing is ever sent; undefined where it is let in, and its body still waited for when the others are answered. */
async function statusBeforeBody(
  url: string,
  key: string,
  others: Promise<unknown>,
): Promise<number | undefined> {
  const asking = request(url, { method: 'POST', headers: { 'x-api-key': key, 'content-length': '30000' } });
  const answered = new Promise<number | undefined>((resolve, reject) => {
    asking.on('error', reject).on('response', ({ statusCode }) => {
      resolve(statusCode);
    });
  });
  asking.flushHeaders();
  const status = await Promise.race([answered, others.then(() => undefined)]);
  answered.catch(() => undefined);
  asking.destroy();
  return status;
}

test('the bodies under way take no more memory than they may, whether or not their length is told', async () => {
  await using gateway = await startGateway({
    config: 'server: { bodyLimit: 1MiB }\nlimits: { shedding: { bodies: 1MiB } }\n',
    files: { 'models/simple/1/model.onnx': addingModel(1) },
  });
  const url = gateway.url('/v2/models/simple/infer');
  const { bodies } = gateway.server.gateway.door;
  const hang = (headers: Record<string, string>): ClientRequest => {
    const asking = request(url, { method: 'POST', headers });
    asking.on('error', () => undefined);
    asking.write(Buffer.alloc(64 * 1024));
    return asking;
  };
  const announced = hang({ 'content-length': String(1024 * 1024) });
  await eventually(() => bodies.usedBytes === 1024 * 1024);
  const refused = await fetch(url, { method: 'POST', body: Buffer.alloc(128 * 1024) });
  expect(refused.status).toBe(503);
  expect(await refused.text()).toContain('the bodies of the requests under way');
  announced.destroy();
  await eventually(() => bodies.usedBytes === 0);
  const streamed = hang({ 'transfer-encoding': 'chunked' });
  await eventually(() => bodies.usedBytes === 64 * 1024);
  streamed.destroy();
  await eventually(() => bodies.usedBytes === 0);
});

test('a body of unknown length is counted where a server elsewhere might have been sent it, and the control reads it', async () => {
  await using server = await startVariantServer();
  server.isHealthy = false;
  await using gateway = await startUpstreamGateway(server.url, { config: 'server: { bodyLimit: 1MiB }' });
  const { bodies } = gateway.server.gateway.door;
  const asking = request(gateway.url('/v2/models/digits/infer'), {
    method: 'POST',
    headers: { 'transfer-encoding': 'chunked' },
  });
  asking.on('error', () => undefined);
  asking.write(Buffer.alloc(256 * 1024));
  await eventually(() => bodies.usedBytes === 256 * 1024);
  asking.destroy();
  await eventually(() => bodies.usedBytes === 0);
  const labels = { outcome: 'cancelled' };
  await eventually(
    async () => metricValue(await gateway.metrics(), 'signalbox_requests_total', labels) === 1,
  );
});

/** So many KiB that compress to a tenth. */
function sparse(kib: number): Buffer {
  return Buffer.concat(
    Array.from({ length: kib }, () => Buffer.concat([randomBytes(100), Buffer.alloc(1024 - 100)])),
  );
}

/** A body that begins, and goes no further. */
function beginBody(url: string, headers: Record<string, string>, bytes: Uint8Array): ClientRequest {
  const asking = request(url, { method: 'POST', headers });
  asking.on('error', () => undefined);
  asking.write(bytes);
  return asking;
}

describe('bodies whose length in memory is not told', () => {
  const KIB = 1024;
  const FORM = { 'content-type': 'multipart/form-data; boundary=a-boundary' };
  const partOf = (field: string, bytes: Uint8Array): Uint8Array =>
    Buffer.concat([
      Buffer.from(
        `--a-boundary\r\nContent-Disposition: form-data; name="${field}"; filename="a.png"\r\n\r\n`,
      ),
      bytes,
    ]);
  let gateway: RunningGateway;
  beforeAll(async () => {
    gateway = await startGateway({
      config: 'server: { bodyLimit: 1MiB }\nlimits: { shedding: { bodies: 1MiB } }\n',
      files: {
        'models/images/1/model.onnx': identityModel('FP32', ['batch', 3, 2, 2]),
        'models/images/config.yaml': 'signalbox: { image: { resize: [2, 2] } }\n',
      },
    });
  });
  afterAll(() => gateway[Symbol.asyncDispose]());
  const used = (): number => gateway.server.gateway.door.bodies.usedBytes;

  test.each<[string, string, Record<string, string>, Uint8Array]>([
    ['a form of chunks', '/predict/images', FORM, partOf('file', Buffer.alloc(300 * KIB))],
    [
      'a body that inflates',
      '/v2/models/images/infer',
      { 'content-encoding': 'gzip', 'content-length': '60000' },
      gzipSync(sparse(600)).subarray(0, 50_000),
    ],
  ])('%s counts as it comes, and no more when its caller is gone', async (_, path, headers, bytes) => {
    const asking = beginBody(gateway.url(path), headers, bytes);
    await eventually(() => used() > 250 * KIB);
    expect(used()).toBeLessThan(1024 * KIB);
    asking.destroy();
    await eventually(() => used() === 0);
  });

  test('a form is refused in its middle where there is no room for it, and its caller is answered', async () => {
    const first = beginBody(gateway.url('/predict/images'), FORM, partOf('file', Buffer.alloc(700 * KIB)));
    await eventually(() => used() >= 700 * KIB);
    const second = await fetch(gateway.url('/predict/images'), {
      method: 'POST',
      headers: FORM,
      body: ReadableStream.from([
        partOf('file', Buffer.alloc(700 * KIB)),
        Buffer.from('\r\n--a-boundary--\r\n'),
      ]),
      duplex: 'half',
    });
    expect(second.status).toBe(503);
    expect(second.headers.get('retry-after')).toBe('1');
    expect(await second.text()).toContain('the bodies of the requests under way');
    expect(used()).toBeLessThan(750 * KIB);
    first.destroy();
    await eventually(() => used() === 0);
  });

  test('fields of text count too', async () => {
    const text = Array.from(
      { length: 10 },
      (_, index) =>
        `--a-boundary\r\nContent-Disposition: form-data; name="text${index}"\r\n\r\n${'a'.repeat(60 * KIB)}\r\n`,
    );
    const asking = beginBody(gateway.url('/predict/images'), FORM, Buffer.from(`${text.join('')}--a-`));
    await eventually(() => used() >= 9 * 60 * KIB);
    asking.destroy();
    await eventually(() => used() === 0);
  });
});
