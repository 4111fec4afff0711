import { connect } from 'node:net';
import { once } from 'node:events';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { metricValue } from '../running-gateway.ts';
import { BODY, startUpstreamGateway } from './upstream-gateway.ts';
import { startVariantServer } from './variant-server.ts';

/** More than the buffers of both connections take. */
const ANSWER_BYTES = 64 * 1024 ** 2;

/** Longer than the server has for its answer, and shorter than the caller has to take it. */
const STEPS = 600;
const STEP_MS = 100;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance', 'setTimeout', 'clearTimeout'] });
});
afterEach(() => {
  vi.useRealTimers();
});

test('how long a caller takes to take a long answer is no time of the variant’s server', async () => {
  await using server = await startVariantServer((response) =>
    response.writeHead(200, { 'content-length': ANSWER_BYTES }).end(Buffer.alloc(ANSWER_BYTES, '{')),
  );
  await using gateway = await startUpstreamGateway(server.url, {
    config: 'timeouts: { inference: 20s, request: 10m }',
    upstream: { timeouts: { total: '20s' } },
  });
  const { hostname, port } = new URL(gateway.url('/'));
  const caller = connect(Number(port), hostname);
  const head = `host: a\r\nconnection: close\r\ncontent-length: ${BODY.length}`;
  caller.write(`POST /v2/models/digits/infer HTTP/1.1\r\n${head}\r\n\r\n${BODY}`);
  await once(caller, 'readable');
  // What fits into the buffers is on its way within the first turns, and takes next to none of the time.
  for (let step = 0; step < STEPS; step++) {
    for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
    vi.advanceTimersByTime(STEP_MS);
  }
  let received = 0;
  caller.on('data', (bytes: Buffer) => (received += bytes.length));
  await once(caller, 'close');
  expect(received).toBeGreaterThan(ANSWER_BYTES);
  const text = await gateway.metrics();
  expect(metricValue(text, 'signalbox_requests_total', { variant: 'v3', outcome: 'ok' })).toBe(1);
  expect(metricValue(text, 'signalbox_request_duration_seconds_sum')).toBeLessThan(20);
});
