import { request } from 'node:http';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { identityModel } from '../models/onnx-graph.ts';
import { metricValue, startGateway } from './running-gateway.ts';
import type { RunningGateway } from './running-gateway.ts';
import { BODY, startUpstreamGateway } from './upstream/upstream-gateway.ts';
import { startVariantServer } from './upstream/variant-server.ts';

/** Longer than the gateway gives a model, and shorter than it gives an upload. */
const UPLOAD_MS = 60_000;
const CONFIG = 'timeouts: { inference: 30s }';

/** Time goes on as ever, but for the upload, whose time is put in between at once. */
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance', 'setTimeout', 'clearTimeout'], shouldAdvanceTime: true });
});
afterEach(() => {
  vi.useRealTimers();
});

/** Sends a request's head, and its body that long after the gateway has read it. */
function sendSlowly(gateway: RunningGateway, body: string): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const asking = request(gateway.url('/v2/models/digits/infer'), {
    method: 'POST',
    headers: { 'content-length': Buffer.byteLength(body), expect: '100-continue' },
  });
  asking.on('error', reject).on('response', (response) => {
    response.resume().on('end', () => {
      resolve(response.statusCode ?? 0);
    });
  });
  asking.on('continue', () => {
    asking.write(body.slice(0, 70_000));
    void vi.advanceTimersByTimeAsync(UPLOAD_MS).then(() => asking.end(body.slice(70_000)));
  });
  asking.flushHeaders();
  return promise;
}

/** Spaces make JSON long. */
const LONG = BODY + ' '.repeat(100_000);

async function seconds(gateway: RunningGateway, what: string): Promise<number> {
  return metricValue(await gateway.metrics(), `signalbox_${what}_duration_seconds_sum`);
}

test('how long a caller takes to send its body is not taken from the model’s time, nor counted as the model’s', async () => {
  await using gateway = await startGateway({
    config: CONFIG,
    files: { 'models/digits/1/model.onnx': identityModel('FP32', ['batch', 1]) },
  });
  expect(await sendSlowly(gateway, LONG)).toBe(200);
  expect(await seconds(gateway, 'request')).toBeLessThan(UPLOAD_MS / 1000);
});

test('nor as that of a server to which it is passed on as it comes', async () => {
  await using server = await startVariantServer();
  await using gateway = await startUpstreamGateway(server.url, {
    config: CONFIG,
    upstream: { retries: 0, timeouts: { headers: '30s', total: '30s' } },
  });
  expect(await sendSlowly(gateway, LONG)).toBe(200);
  const text = await gateway.metrics();
  expect(metricValue(text, 'signalbox_upstream_tries_total', { variant: 'v3', result: 'ok' })).toBe(1);
  expect(await seconds(gateway, 'request')).toBeLessThan(UPLOAD_MS / 1000);
  expect(await seconds(gateway, 'compute')).toBeLessThan(UPLOAD_MS / 1000);
});
