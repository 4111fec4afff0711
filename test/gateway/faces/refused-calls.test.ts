import { connect } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { identityModel } from '../../models/onnx-graph.ts';
import { eventually, metricValue, startGateway } from '../running-gateway.ts';
import type { RunningGateway } from '../running-gateway.ts';

let gateway: RunningGateway;

beforeAll(async () => {
  gateway = await startGateway({
    config: 'server: { bodyLimit: 1MiB }',
    files: { 'models/digits/1/model.onnx': identityModel('FP32', ['batch', 1]) },
  });
});
afterAll(() => gateway[Symbol.asyncDispose]());

const PATHS = ['/v2/models/digits/infer', '/predict/digits', '/predictions/digits'];

/** Sends a head and a body to their end, and only then reads; what came until the gateway hung up. */
function sendAllThenRead(head: readonly string[], bodyBytes: number): Promise<string> {
  const { hostname, port } = new URL(gateway.url(''));
  return new Promise((resolve, reject) => {
    let answer = '';
    const socket = connect(Number(port), hostname, () => {
      socket.pause();
      socket.write(`${head.join('\r\n')}\r\n\r\n`);
      socket.write(Buffer.alloc(bodyBytes), () => socket.resume());
    });
    socket.setEncoding('latin1').on('data', (text: string) => (answer += text));
    socket.once('error', reject).once('end', () => {
      socket.end();
      resolve(answer);
    });
  });
}

test.each(PATHS)(
  'a body over the limit is answered though its caller reads only when it has sent all: %s',
  async (path) => {
    const bytes = 24 * 1024 ** 2;
    const head = [
      `POST ${path} HTTP/1.1`,
      'host: gateway',
      'content-type: image/png',
      `content-length: ${bytes}`,
    ];
    const answer = await sendAllThenRead(head, bytes);
    expect(answer).toMatch(path.startsWith('/v2') ? /^HTTP\/1.1 400 / : /^HTTP\/1.1 413 /);
    expect(answer).toContain(`the body has ${bytes} bytes; at most 1048576 are taken`);
    expect(answer.toLowerCase()).toContain('connection: close');
  },
);

test('a call that is refused before it is routed is counted once, whatever it is refused for', async () => {
  const url = gateway.url('/v2/models/digits/infer');
  const refusals: readonly RequestInit[] = [
    { body: new Uint8Array(2 * 1024 ** 2) },
    { body: 'no gzip', headers: { 'content-encoding': 'gzip' } },
    { body: '{}', headers: { 'content-encoding': 'br' } },
    { body: '{}', headers: { x_experiment: 'v1' } },
    { body: '{}', headers: { 'x-request-id': 'a b' } },
    { body: '{' },
  ];
  const counted = async () =>
    metricValue(await gateway.metrics(), 'signalbox_requests_total', { outcome: 'client_error' });
  for (const refusal of refusals) {
    const before = await counted();
    const response = await fetch(url, { method: 'POST', ...refusal });
    await response.arrayBuffer();
    expect(response.status).toBe(400);
    await eventually(async () => (await counted()) > before);
    expect(await counted()).toBe(before + 1);
  }
});
