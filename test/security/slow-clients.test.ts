/** Whoever is slow, idle or half gone is cut off by a time limit, and takes nobody's place any more. */
import { once } from 'node:events';
import { connect as connectHttp2, constants } from 'node:http2';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { certify } from '../gateway/certificates.ts';
import { eventually, metricValue, startGateway } from '../gateway/running-gateway.ts';
import type { RunningGateway } from '../gateway/running-gateway.ts';
import { identityModel, slowModel } from '../models/onnx-graph.ts';
import { temporaryFolder } from '../models/temporary-folder.ts';
import type { TemporaryFolder } from '../models/temporary-folder.ts';
import { open, untilClosed } from './raw-socket.ts';

/** More numbers than the buffers of a connection take. */
const WIDE = 8 * 1024 * 1024;
const files = {
  'models/simple/1/model.onnx': identityModel('FP32', ['batch', 1]),
  'models/slow/1/model.onnx': slowModel(),
};
const TIMEOUTS = 'timeouts: { headers: 300ms, body: 300ms, keepAlive: 300ms, request: 2s }\n';
/** Under load the looks for connections whose time is up come late. */
const LATE_MS = 50_000;

let plain: RunningGateway;
let encrypted: RunningGateway;
let certificates: TemporaryFolder;
beforeAll(async () => {
  certificates = await temporaryFolder({});
  await certify(certificates.path, 'server');
  const file = (name: string): string => JSON.stringify(join(certificates.path, name));
  plain = await startGateway({ files, config: `${TIMEOUTS}limits: { addressConcurrency: 1 }\n` });
  encrypted = await startGateway({
    files,
    config: `${TIMEOUTS}tls: { http: { cert: ${file('server.pem')}, key: ${file('server.key')} } }\n`,
  });
});
afterAll(async () => {
  await plain[Symbol.asyncDispose]();
  await encrypted[Symbol.asyncDispose]();
  await certificates[Symbol.asyncDispose]();
});

const addressOf = ({ server }: RunningGateway): string => server.bound.http ?? '';
const BODY = JSON.stringify({ inputs: [{ name: 'INPUT', shape: [1, 1], datatype: 'FP32', data: [1] }] });

/** Sends the rest of something a byte at a time, without end. */
function drip(socket: ReturnType<typeof open>, byte: string): void {
  const dripping = setInterval(() => socket.write(byte), 20);
  socket.once('close', () => {
    clearInterval(dripping);
  });
}

describe.each([
  ['without TLS', false],
  ['over TLS', true],
])('%s', (_, isEncrypted) => {
  const connect = () => open(addressOf(isEncrypted ? encrypted : plain), isEncrypted);

  test('headers that trickle in (slowloris) get a 408', async () => {
    const socket = connect();
    socket.write('GET /v2 HTTP/1.1\r\nHost: a\r\nX-A: ');
    drip(socket, 'a');
    const { statuses, text, ms } = await untilClosed(socket);
    expect(statuses).toEqual([408]);
    expect(text).toContain('{"error":"the request did not come whole in time"}');
    expect(ms).toBeLessThan(LATE_MS);
  });

  test('a body that trickles in gets a 408', async () => {
    const socket = connect();
    socket.write('POST /v2/models/simple/infer HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n');
    drip(socket, ' ');
    const { statuses, ms } = await untilClosed(socket);
    expect(statuses).toEqual([408]);
    expect(ms).toBeLessThan(LATE_MS);
  });

  test('chunks that trickle in get a 408', async () => {
    const socket = connect();
    socket.write('POST /v2/models/simple/infer HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n');
    drip(socket, '1\r\n \r\n');
    expect((await untilClosed(socket)).statuses).toEqual([408]);
  });

  test('who says nothing at all is hung up on', async () => {
    const { text, ms } = await untilClosed(connect());
    expect(text).not.toContain('200');
    expect(ms).toBeLessThan(LATE_MS);
  });

  test('who says nothing more is hung up on', async () => {
    const socket = connect();
    socket.write('GET /v2 HTTP/1.1\r\nHost: a\r\n\r\n');
    const { statuses, ms } = await untilClosed(socket);
    expect(statuses).toEqual([200]);
    expect(ms).toBeLessThan(LATE_MS);
  });
});

describe('half-closed connections', () => {
  test('who asks, and then closes its side, is taken for gone: its call is given up', async () => {
    const { pipeline } = plain.server.gateway;
    const socket = open(addressOf(plain));
    socket.write(
      `POST /v2/models/slow/infer HTTP/1.1\r\nHost: a\r\nContent-Length: ${BODY.length}\r\n\r\n${BODY}`,
    );
    await eventually(() => pipeline.inFlight === 1);
    socket.end();
    expect((await untilClosed(socket)).statuses).toEqual([]);
    await eventually(() => pipeline.inFlight === 0);
    const labels = { outcome: 'cancelled', model: 'slow' };
    expect(metricValue(await plain.metrics(), 'signalbox_requests_total', labels)).toBe(1);
  });

  test('who closes its side within a body takes nobody’s place', async () => {
    const socket = open(addressOf(plain));
    socket.end('POST /v2/models/simple/infer HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{');
    await untilClosed(socket);
    // The address may have one request under way.
    await eventually(async () => {
      const response = await fetch(plain.url('/v2/models/simple/infer'), { method: 'POST', body: BODY });
      await response.arrayBuffer();
      return response.status === 200;
    });
  });
});

test('who takes an answer too slowly is hung up on', async () => {
  await using gateway = await startGateway({
    files: { 'models/wide/1/model.onnx': identityModel('FP32', ['batch', WIDE]) },
    config: 'timeouts: { request: 5s }\n',
  });
  const socket = open(addressOf(gateway));
  const input = {
    name: 'INPUT',
    shape: [1, WIDE],
    datatype: 'FP32',
    parameters: { binary_data_size: 4 * WIDE },
  };
  const json = JSON.stringify({ inputs: [input], parameters: { binary_data_output: true } });
  socket.write(
    `POST /v2/models/wide/infer HTTP/1.1\r\nHost: a\r\nInference-Header-Content-Length: ${json.length}\r\n` +
      `Content-Length: ${json.length + 4 * WIDE}\r\n\r\n${json}`,
  );
  socket.write(Buffer.alloc(4 * WIDE));
  let received = 0;
  socket.on('data', (chunk: Buffer) => {
    received += chunk.length;
  });
  socket.once('data', () => socket.pause());
  socket.on('error', () => undefined);
  socket.on('end', () => socket.destroy());
  const { bodies } = gateway.server.gateway.door;
  await eventually(() => bodies.usedBytes > 0);
  const startMs = performance.now();
  await eventually(() => bodies.usedBytes === 0);
  expect(performance.now() - startMs).toBeLessThan(LATE_MS);
  // What has left the gateway can be read; the rest is gone.
  socket.resume();
  await once(socket, 'close');
  expect(received).toBeGreaterThan(0);
  expect(received).toBeLessThan(4 * WIDE);
});

test('a TLS handshake that never begins is not waited for', async () => {
  const socket = open(addressOf(encrypted));
  const { text, ms } = await untilClosed(socket);
  expect(text).toBe('');
  expect(ms).toBeLessThan(LATE_MS);
});

describe('over HTTP/2', () => {
  test('a body that trickles in is cut off, and the connection serves on', async () => {
    const session = connectHttp2(`https://${addressOf(encrypted)}`, { rejectUnauthorized: false });
    const stream = session.request({ ':method': 'POST', ':path': '/v2/models/simple/infer' });
    const dripping = setInterval(() => stream.write(' '), 20);
    stream.on('error', () => undefined);
    await once(stream, 'close');
    clearInterval(dripping);
    expect(stream.rstCode).toBe(constants.NGHTTP2_CANCEL);
    const [headers] = (await once(session.request({ ':path': '/v2' }).resume(), 'response')) as [
      Record<string, unknown>,
    ];
    expect(headers[':status']).toBe(200);
    expect(metricValue(await encrypted.metrics(), 'signalbox_batches_total')).toBe(0);
    session.destroy();
  });

  test('who never takes an answer is hung up on, however short it is', async () => {
    const session = connectHttp2(`https://${addressOf(encrypted)}`, {
      rejectUnauthorized: false,
      settings: { initialWindowSize: 0 },
    });
    // Others keep the connection busy.
    const pinging = setInterval(() => session.ping(() => undefined), 20);
    const stream = session.request({ ':path': '/v2' });
    stream.on('error', () => undefined);
    const startMs = performance.now();
    await once(stream, 'close');
    clearInterval(pinging);
    expect(performance.now() - startMs).toBeLessThan(LATE_MS);
    session.destroy();
  });

  test('who says nothing more is hung up on', async () => {
    const session = connectHttp2(`https://${addressOf(encrypted)}`, { rejectUnauthorized: false });
    const startMs = performance.now();
    session.request({ ':path': '/v2' }).resume();
    await once(session, 'close');
    expect(performance.now() - startMs).toBeLessThan(LATE_MS);
  });
});
