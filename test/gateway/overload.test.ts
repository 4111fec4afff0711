import { request } from 'node:http';
import type { ClientRequest } from 'node:http';
import { expect, test } from 'vitest';
import { createKey } from '../../gateway/trust/api-key.ts';
import { addingModel, slowModel } from '../models/small-models.ts';
import { eventually, metricValue, startGateway } from './running-gateway.ts';
import { startUpstreamGateway } from './upstream/upstream-gateway.ts';
import { startVariantServer } from './upstream/variant-server.ts';

test('beyond the wait that callers bear, requests are refused at once, the low before the high, and the others are answered', async () => {
  const [low, high] = [createKey(), createKey()];
  await using gateway = await startGateway({
    config: 'auth: { keys: ./keys.yaml }\nlimits: { shedding: { wait: 200ms } }\n',
    files: {
      'keys.yaml':
        'keys:\n' +
        `  - { id: "${low.id}", hash: "${low.hash}", scopes: [infer], priority: low }\n` +
        `  - { id: "${high.id}", hash: "${high.hash}", scopes: [infer], priority: high }\n`,
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
  const text = await gateway.server.gateway.metrics.render();
  expect(metricValue(text, 'signalbox_shed_total', { reason: 'wait' })).toBeGreaterThan(1);
  expect(metricValue(text, 'signalbox_requests_total', { outcome: 'shed' })).toBeGreaterThan(1);
});

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
