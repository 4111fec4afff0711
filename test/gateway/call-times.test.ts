import { once } from 'node:events';
import { request } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { expect, test } from 'vitest';
import { identityModel, slowModel } from '../models/onnx-graph.ts';
import { eventually, metricValue, startGateway } from './running-gateway.ts';

/** A request stays in the queue until there is another to be run with. */
const PAIRS =
  'max_batch_size: 2\ndynamic_batching: { preferred_batch_size: [2], max_queue_delay_microseconds: 60000000 }\n';

test('a caller that hangs up leaves the queue, and is counted as cancelled', async () => {
  await using gateway = await startGateway({
    files: {
      'models/pairs/1/model.onnx': identityModel('FP32', ['batch', 1]),
      'models/pairs/config.yaml': PAIRS,
    },
  });
  const body = JSON.stringify({ inputs: [{ name: 'INPUT', shape: [1, 1], datatype: 'FP32', data: [1] }] });
  const path = '/v2/models/pairs/infer';
  const { hostname, port } = new URL(gateway.url('/'));
  const caller = connect(Number(port), hostname);
  caller.write(`POST ${path} HTTP/1.1\r\nhost: x\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
  const queued = async () =>
    metricValue(await gateway.metrics(), 'signalbox_queue_depth', { model: 'pairs' });
  await eventually(async () => (await queued()) === 1);
  caller.destroy();
  await eventually(async () => (await queued()) === 0);

  const pair = [1, 2].map(() => fetch(gateway.url(path), { method: 'POST', body }));
  for (const answer of pair) expect((await answer).status).toBe(200);
  const text = await gateway.metrics();
  const count = (outcome: string): number => metricValue(text, 'signalbox_requests_total', { outcome });
  expect([count('ok'), count('cancelled'), count('error')]).toEqual([2, 1, 0]);
  expect(metricValue(text, 'signalbox_batches_total')).toBe(1);
});

test('a call that takes longer than the configured time is a 504, and the next one is answered', async () => {
  await using gateway = await startGateway({
    config: 'timeouts: { inference: 50ms, run: 30s }',
    // So much longer than that, that a thread which is held up meanwhile hears of the end of its time first.
    files: { 'models/slow/1/model.onnx': slowModel(80) },
  });
  const body = JSON.stringify({ inputs: [{ name: 'INPUT', shape: [1, 1], datatype: 'FP32', data: [1] }] });
  const response = await fetch(gateway.url('/v2/models/slow/infer'), { method: 'POST', body });
  expect(response.status).toBe(504);
  // On a busy machine it may not have come to the model by then.
  expect(await response.json()).toEqual({
    error: expect.stringMatching(/^Request timeout expired/) as string,
  });
  expect(metricValue(await gateway.metrics(), 'signalbox_requests_total', { outcome: 'timeout' })).toBe(1);
});

test('the time to receive the body counts in the total, not as routing', async () => {
  await using gateway = await startGateway({
    files: { 'models/simple/1/model.onnx': identityModel('FP32', ['batch', 1]) },
  });
  const body = JSON.stringify({ inputs: [{ name: 'INPUT', shape: [1, 1], datatype: 'FP32', data: [1] }] });
  const headers = { 'content-length': body.length };
  const call = request(gateway.url('/v2/models/simple/infer'), { method: 'POST', headers });
  const answer = once(call, 'response') as Promise<[IncomingMessage]>;
  const [socket] = (await once(call, 'socket')) as [Socket];
  call.write(body.slice(0, 1));
  if (socket.connecting) await once(socket, 'connect');
  // The first of these is answered after the head of the call has been read; the others are the time it is kept waiting, which has to be
  // longer than a busy machine may take for the routing.
  await fetch(gateway.url('/v2/health/live'));
  const headReadMs = performance.now();
  do await fetch(gateway.url('/v2/health/live'));
  while (performance.now() - headReadMs < 1000);
  const waitedMs = performance.now() - headReadMs;
  call.end(body.slice(1));
  const [response] = await answer;
  response.resume();
  const timing = String(response.headers['server-timing']);
  const partMs = (part: string): number => Number(new RegExp(`${part};dur=([\\d.]+)`).exec(timing)?.[1]);
  expect(response.statusCode).toBe(200);
  expect(partMs('total')).toBeGreaterThan(waitedMs / 2);
  expect(partMs('route')).toBeLessThan(waitedMs);
});
