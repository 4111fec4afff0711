/** The data plane over HTTP/2, which callers choose in the TLS handshake (ALPN). */
import { once } from 'node:events';
import { connect, constants } from 'node:http2';
import type { ClientHttp2Session, IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http2';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { certify } from '../gateway/certificates.ts';
import { MEASURED_FILES } from '../gateway/faces/predictions.ts';
import { eventually, metricValue, startGateway } from '../gateway/running-gateway.ts';
import type { RunningGateway } from '../gateway/running-gateway.ts';
import { identityModel, slowModel } from '../models/onnx-graph.ts';
import { temporaryFolder } from '../models/temporary-folder.ts';
import type { TemporaryFolder } from '../models/temporary-folder.ts';

let certificates: TemporaryFolder;
beforeAll(async () => {
  certificates = await temporaryFolder({});
  await certify(certificates.path, 'server');
});
afterAll(() => certificates[Symbol.asyncDispose]());

function start(config = ''): Promise<RunningGateway> {
  const file = (name: string): string => JSON.stringify(join(certificates.path, name));
  const tls = `{ cert: ${file('server.pem')}, key: ${file('server.key')} }`;
  return startGateway({
    admin: true,
    config: `tls: { http: ${tls}, admin: ${tls} }\n${config}`,
    files: {
      ...MEASURED_FILES,
      'models/slow/1/model.onnx': slowModel(),
      'models/slow/config.yaml': 'max_batch_size: 1\n',
      'models/pairs/1/model.onnx': identityModel('FP32', ['batch', 1]),
      // A request stays in the queue until there is another to be run with.
      'models/pairs/config.yaml':
        'max_batch_size: 2\ndynamic_batching: { preferred_batch_size: [2], max_queue_delay_microseconds: 60000000 }\n',
    },
  });
}

const BODY = JSON.stringify({ inputs: [{ name: 'INPUT', shape: [1, 1], datatype: 'FP32', data: [1] }] });

function sessionOf({ server }: RunningGateway): ClientHttp2Session {
  return connect(`https://${server.bound.http ?? ''}`, { rejectUnauthorized: false });
}

interface Answer {
  readonly headers: IncomingHttpHeaders & { readonly ':status'?: number };
  readonly body: string;
}

async function ask(
  session: ClientHttp2Session,
  headers: OutgoingHttpHeaders,
  body?: string,
): Promise<Answer> {
  const stream = session.request({ ':method': body === undefined ? 'GET' : 'POST', ...headers });
  let text = '';
  stream.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  const ended = once(stream, 'end');
  stream.end(body);
  const [answered] = (await once(stream, 'response')) as [Answer['headers']];
  await ended;
  return { headers: answered, body: text };
}

const infer = (model: string, headers: OutgoingHttpHeaders = {}) => ({
  ':path': `/v2/models/${model}/infer`,
  ...headers,
});

describe('HTTP/2', () => {
  let gateway: RunningGateway;
  let session: ClientHttp2Session;

  test.each([
    ['that say how long they are', { 'content-length': '1000' }, 1000],
    ['that don’t', {}, 10],
  ])(
    'bodies %s count as they come, however small: a connection may have hundreds',
    async (_, headers, bytes) => {
      const { bodies } = gateway.server.gateway.door;
      const streams = Array.from({ length: 20 }, () =>
        session.request({ ':method': 'POST', ...infer('digits', headers) }),
      );
      for (const stream of streams) stream.on('error', () => undefined).write('0123456789');
      await eventually(() => bodies.usedBytes === 20 * bytes);
      for (const stream of streams) stream.close(constants.NGHTTP2_CANCEL);
      await eventually(() => bodies.usedBytes === 0);
    },
  );

  beforeAll(async () => {
    // No body's time is over before the test's.
    gateway = await start('server: { trustProxy: 1 }\ntimeouts: { body: 1h }\n');
    session = sessionOf(gateway);
  });
  afterAll(async () => {
    session.destroy();
    await gateway[Symbol.asyncDispose]();
  });

  test('answers as HTTP/1.1 does, many calls on one connection', async () => {
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, unit) =>
        ask(session, infer('digits', { 'x-user-id': `unit-${unit}` }), BODY),
      ),
    );
    expect(new Set(answers.map(({ headers }) => headers[':status']))).toEqual(new Set([200]));
    const variants = answers.map(({ headers }) => headers['x-experiment']);
    expect(new Set(variants)).toEqual(new Set(['digits-cnn=v1', 'digits-cnn=v2']));
    expect(JSON.parse(answers[0]?.body ?? '')).toMatchObject({ model_name: 'digits' });
    expect(session.alpnProtocol).toBe('h2');
  });

  test('errors have their form, and no header of a connection', async () => {
    const { headers, body } = await ask(session, infer('digits'), 'nothing');
    expect(headers[':status']).toBe(400);
    expect(headers.connection).toBeUndefined();
    expect(JSON.parse(body)).toHaveProperty('error');
    expect((await ask(session, { ':path': '/nothing' })).headers[':status']).toBe(404);
    const expecting = await ask(session, infer('digits', { expect: 'a-tip' }), BODY);
    expect(expecting.headers[':status']).toBe(417);
    expect(JSON.parse(expecting.body)).toHaveProperty('error');
  });

  test('images go through it too', async () => {
    const { headers } = await ask(
      session,
      { ':path': '/predict/digits', 'content-type': 'image/png' },
      'nothing',
    );
    expect(headers[':status']).toBe(400);
  });

  test('who asks for HTTP/1.1, or for nothing, gets it', async () => {
    for (const protocols of [['http/1.1'], undefined]) {
      const [host, port] = (gateway.server.bound.http ?? '').split(':');
      const socket = connectTls({
        host: host ?? '',
        port: Number(port),
        rejectUnauthorized: false,
        ...(protocols && { ALPNProtocols: protocols }),
      });
      socket.write('GET /v2 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
      const [answer] = (await once(socket, 'data')) as [Buffer];
      expect(answer.toString()).toMatch(/^HTTP\/1\.1 200/);
      socket.destroy();
    }
  });

  test('headers that could be read in two ways are refused', async () => {
    const twice = await ask(session, infer('digits', { 'x-experiment': ['v1', 'v2'] }), BODY);
    expect([twice.headers[':status'], twice.body]).toEqual([
      400,
      '{"error":"the header x-experiment was sent twice; send it once"}',
    ]);
    const misspelled = await ask(session, infer('digits', { x_experiment: 'v1' }), BODY);
    expect(misspelled.headers[':status']).toBe(400);
    const cookies = await ask(session, infer('digits', { cookie: ['a=b', 'c=d'] }), BODY);
    expect(cookies.headers[':status']).toBe(200);
  });

  test('another Host than the authority is refused', async () => {
    const { headers } = await ask(session, { ':path': '/v2', ':authority': 'a', host: 'b' });
    expect(headers[':status']).toBe(400);
  });

  test('a page whose name leads to this machine controls nothing (DNS rebinding)', async () => {
    const load = (authority: string) =>
      ask(session, { ':path': '/v2/repository/models/digits/load', ':authority': authority }, '{}');
    const foreign = await load('evil.example');
    expect(foreign.headers[':status']).toBe(403);
    expect(foreign.body).toContain('evil.example');
    // It is asked whether it may first, and then told that it is not to be done by calls here.
    expect((await load('localhost')).headers[':status']).toBe(503);
  });

  test('a caller that takes its call back leaves the queue, and the others on its connection are answered', async () => {
    const queued = async () =>
      metricValue(await gateway.metrics(), 'signalbox_queue_depth', { model: 'pairs' });
    const call = session.request({ ':method': 'POST', ...infer('pairs') });
    call.on('error', () => undefined);
    call.end(BODY);
    await eventually(async () => (await queued()) === 1);
    call.close(constants.NGHTTP2_CANCEL);
    await eventually(async () => (await queued()) === 0);
    const pair = [1, 2].map(() => ask(session, infer('pairs'), BODY));
    for (const answer of pair) expect((await answer).headers[':status']).toBe(200);
    const labels = { outcome: 'cancelled', model: 'pairs' };
    expect(metricValue(await gateway.metrics(), 'signalbox_requests_total', labels)).toBe(1);
  });

  test('a body that breaks off is not taken for a whole one', async () => {
    const before = metricValue(await gateway.metrics(), 'signalbox_batches_total', { model: 'digits' });
    const stream = session.request({ ':method': 'POST', ...infer('digits') });
    stream.on('error', () => undefined);
    // Whole JSON, so that nothing but its end is missing.
    stream.write(BODY);
    const { bodies } = gateway.server.gateway.door;
    await eventually(() => bodies.usedBytes === BODY.length);
    // Its `close` would end the body first.
    stream.destroy();
    await eventually(() => bodies.usedBytes === 0);
    expect(metricValue(await gateway.metrics(), 'signalbox_batches_total', { model: 'digits' })).toBe(before);
  });

  test('the control plane stays with HTTP/1.1', async () => {
    const admin = connect(`https://${gateway.server.bound.admin ?? ''}`, { rejectUnauthorized: false });
    const [error] = (await once(admin, 'error')) as [Error];
    expect(error).toBeInstanceOf(Error);
    admin.destroy();
  });
});

test('who is answered over HTTP/2 while the gateway stops gets the answer, and then the end of the connection', async () => {
  const gateway = await start();
  const session = sessionOf(gateway);
  await ask(session, { ':path': '/v2' });
  const answering = ask(session, infer('slow'), BODY);
  await eventually(() => gateway.server.gateway.pipeline.inFlight === 1);
  const closed = once(session, 'close');
  const stopped = gateway.server.stop();
  expect((await answering).headers[':status']).toBe(200);
  await closed;
  expect(await stopped).toBe(true);
});

test('who keeps its call open over HTTP/2 is hung up on at the drain deadline', async () => {
  const gateway = await start('timeouts: { drain: 300ms }\n');
  const session = sessionOf(gateway);
  session.on('error', () => undefined);
  const stream = session.request({ ':method': 'POST', ...infer('digits') });
  stream.on('error', () => undefined);
  stream.write(' ');
  await ask(session, { ':path': '/v2' });
  const closed = once(session, 'close');
  expect(await gateway.server.stop()).toBe(false);
  await closed;
});
