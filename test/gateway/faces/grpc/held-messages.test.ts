/** What a gRPC call has sent counts before it is whole, and who is slow is hung up on. */
import { once } from 'node:events';
import { connect, constants } from 'node:http2';
import type { ClientHttp2Session, ClientHttp2Stream, IncomingHttpHeaders } from 'node:http2';
import { gzipSync } from 'node:zlib';
import { status } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { identityModel } from '../../../models/onnx-graph.ts';
import { eventually, metricValue, startGateway } from '../../running-gateway.ts';
import type { RunningGateway } from '../../running-gateway.ts';
import { GrpcClient, inferRequest } from './grpc-client.ts';

const MIB = 1024 * 1024;
const files = { 'models/digits/1/model.onnx': identityModel('FP32', ['batch', 'wide']) };
/** Under load a timer comes late. */
const LATE_MS = 50_000;

let gateway: RunningGateway;
let hasty: RunningGateway;
beforeAll(async () => {
  gateway = await startGateway({
    grpc: true,
    config: 'server: { bodyLimit: 4MiB }\nlimits: { shedding: { bodies: 4MiB } }\n',
    files,
  });
  hasty = await startGateway({
    grpc: true,
    config: 'timeouts: { body: 300ms, request: 500ms, keepAlive: 600ms }\n',
    files,
  });
});
afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
  await hasty[Symbol.asyncDispose]();
});

/** A connection of plain HTTP/2: a client of gRPC would send whole messages. */
function open({ server }: RunningGateway, initialWindowSize?: number): ClientHttp2Session & AsyncDisposable {
  const settings = initialWindowSize === undefined ? {} : { initialWindowSize };
  const session = connect(`http://${server.bound.grpc ?? ''}`, { settings });
  session.on('error', () => undefined);
  return Object.assign(session, {
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => session.once('close', resolve));
      session.destroy();
      if (!session.closed) await closed;
    },
  });
}

function begin(
  session: ClientHttp2Session,
  method: string,
  headers: Readonly<Record<string, string>> = {},
): ClientHttp2Stream {
  const stream = session.request({
    [constants.HTTP2_HEADER_METHOD]: 'POST',
    [constants.HTTP2_HEADER_PATH]: `/inference.GRPCInferenceService/${method}`,
    'content-type': 'application/grpc',
    te: 'trailers',
    ...headers,
  });
  return stream.on('error', () => undefined);
}

/** The head of a message of so many bytes. */
function headOf(bytes: number, isCompressed = false): Buffer {
  const head = Buffer.alloc(5, isCompressed ? 1 : 0);
  head.writeUInt32BE(bytes, 1);
  return head;
}

const NUMBERS = Buffer.from(Float32Array.of(7).buffer);
/** As it goes over the wire: model "digits", an input of one number, and its bytes. */
const ASKED = Buffer.concat([
  Buffer.from([0x0a, 6]),
  Buffer.from('digits'),
  Buffer.from([0x2a, 17, 0x0a, 5]),
  Buffer.from('INPUT'),
  Buffer.from([0x12, 4]),
  Buffer.from('FP32'),
  Buffer.from([0x1a, 2, 1, 1]),
  Buffer.from([0x3a, 4]),
  NUMBERS,
]);

/** How a call ends, as its headers or trailers say it. */
async function statusOf(stream: ClientHttp2Stream): Promise<IncomingHttpHeaders> {
  let last: IncomingHttpHeaders = {};
  const note = (headers: IncomingHttpHeaders): void => {
    if ('grpc-status' in headers) last = headers;
  };
  stream.on('response', note).on('trailers', note).resume();
  if (!stream.closed) await once(stream, 'close');
  return last;
}

const used = (): number => gateway.server.gateway.door.bodies.usedBytes;

describe.each(['ModelInfer', 'ModelStreamInfer', 'ModelMetadata'])('messages of %s', (method) => {
  test('count from their first byte, and no more when their caller is gone', async () => {
    await using session = open(gateway);
    const streams = Array.from({ length: 3 }, () => begin(session, method));
    for (const stream of streams) stream.write(Buffer.concat([headOf(2 * MIB), Buffer.alloc(MIB)]));
    await eventually(() => used() === 3 * (MIB + 5));
    for (const stream of streams) stream.close(constants.NGHTTP2_CANCEL);
    await eventually(() => used() === 0);
  });

  test('beyond the memory for bodies are refused while they come, and are not kept', async () => {
    await using session = open(gateway);
    const first = begin(session, method);
    first.write(Buffer.concat([headOf(4 * MIB), Buffer.alloc(3 * MIB)]));
    await eventually(() => used() === 3 * MIB + 5);
    const before = metricValue(await gateway.metrics(), 'signalbox_requests_total', { outcome: 'shed' });
    const second = begin(session, method);
    second.write(Buffer.concat([headOf(4 * MIB), Buffer.alloc(3 * MIB)]));
    const ended = await statusOf(second);
    expect(ended['grpc-status']).toBe(String(status.UNAVAILABLE));
    expect(decodeURI(String(ended['grpc-message']))).toContain('the bodies of the requests under way');
    expect(ended['retry-after']).toBe('1');
    await eventually(() => used() === 3 * MIB + 5);
    expect(metricValue(await gateway.metrics(), 'signalbox_requests_total', { outcome: 'shed' })).toBe(
      before + 1,
    );
    first.close(constants.NGHTTP2_CANCEL);
    await eventually(() => used() === 0);
  });
});

test('a message of a stream counts no more when it is answered, and the next one is midway', async () => {
  await using session = open(gateway);
  const stream = begin(session, 'ModelStreamInfer');
  const answered = once(stream, 'data');
  stream.write(Buffer.concat([headOf(ASKED.length), ASKED, headOf(100), Buffer.alloc(10)]));
  await answered;
  await eventually(() => used() === 15);
  stream.close(constants.NGHTTP2_CANCEL);
  await eventually(() => used() === 0);
});

test('a message counts for what it inflates to', async () => {
  await using session = open(gateway);
  // Two whole messages, whose calls don't end.
  const packed = gzipSync(Buffer.alloc(3 * MIB));
  const streams = Array.from({ length: 2 }, () => begin(session, 'ModelInfer', { 'grpc-encoding': 'gzip' }));
  const ends = streams.map(statusOf);
  for (const stream of streams) stream.write(Buffer.concat([headOf(packed.length, true), packed]));
  const refused = await Promise.race(ends);
  expect(refused['grpc-status']).toBe(String(status.UNAVAILABLE));
  expect(used()).toBe(3 * MIB);
  for (const stream of streams) stream.close(constants.NGHTTP2_CANCEL);
  await eventually(() => used() === 0);
});

describe('slow callers', () => {
  test.each(['ModelInfer', 'ModelStreamInfer'])(
    'a message of %s that trickles in is not waited for',
    async (method) => {
      await using session = open(hasty);
      const stream = begin(session, method);
      stream.write(headOf(1000));
      const dripping = setInterval(() => stream.write('a'), 20);
      const ended = await statusOf(stream);
      clearInterval(dripping);
      expect(ended['grpc-status']).toBe(String(status.DEADLINE_EXCEEDED));
      expect(decodeURI(String(ended['grpc-message']))).toContain('did not come whole within 300 ms');
    },
  );

  test('nor is a call that never says that it has asked', async () => {
    await using session = open(hasty);
    const stream = begin(session, 'ModelInfer');
    stream.write(Buffer.concat([headOf(ASKED.length), ASKED]));
    expect((await statusOf(stream))['grpc-status']).toBe(String(status.DEADLINE_EXCEEDED));
  });

  test('a stream may be silent between its messages for longer', async () => {
    await using session = open(hasty);
    const stream = begin(session, 'ModelStreamInfer');
    for (let i = 0; i < 2; i++) {
      const answered = once(stream, 'data');
      stream.write(Buffer.concat([headOf(ASKED.length), ASKED]));
      await answered;
      // A call that is cut off for its slowness says for how long this one was silent.
      const slow = begin(session, 'ModelInfer');
      slow.write(headOf(1000));
      await statusOf(slow);
    }
    stream.end();
    expect((await statusOf(stream))['grpc-status']).toBe('0');
  });

  test('who takes its answer gets it', async () => {
    await using session = open(hasty);
    const stream = begin(session, 'ModelInfer');
    stream.end(Buffer.concat([headOf(ASKED.length), ASKED]));
    expect((await statusOf(stream))['grpc-status']).toBe('0');
  });

  test.each(['ModelInfer', 'ModelStreamInfer'])(
    'who never takes an answer of %s is hung up on',
    async (method) => {
      await using session = open(hasty, 0);
      const stream = begin(session, method);
      stream.end(Buffer.concat([headOf(ASKED.length), ASKED]));
      const startMs = performance.now();
      await once(stream.pause(), 'close');
      const ms = performance.now() - startMs;
      expect(ms).toBeGreaterThan(450);
      expect(ms).toBeLessThan(LATE_MS);
      await eventually(() => hasty.server.gateway.door.bodies.usedBytes === 0);
    },
  );

  test('a connection without calls is closed, and a client of gRPC opens another', async () => {
    await using session = open(hasty);
    await once(session, 'close');
    using client = new GrpcClient(hasty.server.bound.grpc ?? '');
    const asked = inferRequest({
      model_name: 'digits',
      inputs: [{ name: 'INPUT', datatype: 'FP32', shape: [1, 1] }],
      raw_input_contents: [NUMBERS],
    });
    for (let i = 0; i < 2; i++) {
      await client.call('ModelInfer', asked);
      await using idle = open(hasty);
      await once(idle, 'close');
    }
  });
});
