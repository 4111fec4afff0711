import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { identityModel } from '../../models/onnx-graph.ts';
import { eventually, metricValue, startGateway } from '../running-gateway.ts';
import type { RunningGateway } from '../running-gateway.ts';

let gateway: RunningGateway;
beforeAll(async () => {
  gateway = await startGateway({
    files: { 'models/simple/1/model.onnx': identityModel('FP32', ['batch', 1]) },
  });
});
afterAll(() => gateway[Symbol.asyncDispose]());

const BODY = JSON.stringify({ inputs: [{ name: 'INPUT', shape: [1, 1], datatype: 'FP32', data: [1] }] });
const REQUEST = `POST /v2/models/simple/infer HTTP/1.1\r\nHost: a\r\nContent-Length: ${BODY.length}\r\n\r\n${BODY}`;

async function open() {
  const [host = '', port] = (gateway.server.bound.http ?? '').split(':');
  const socket = connect({ host, port: Number(port) });
  await once(socket, 'connect');
  return socket;
}

test('what callers asked who have hung up since is not run, and counts as cancelled', async () => {
  for (let i = 0; i < 10; i++) {
    const socket = await open();
    socket.resume().end(REQUEST);
    await once(socket, 'close');
  }
  await eventually(
    async () =>
      metricValue(await gateway.metrics(), 'signalbox_requests_total', { outcome: 'cancelled' }) === 10,
  );
  expect(metricValue(await gateway.metrics(), 'signalbox_batches_total')).toBe(0);
});

test('who waits is answered, on the first request of a connection and on the next', async () => {
  const socket = await open();
  for (let i = 0; i < 2; i++) {
    const answered = once(socket, 'data');
    socket.write(REQUEST);
    expect(String(await answered)).toMatch(/^HTTP\/1\.1 200 /);
  }
  socket.destroy();
});
