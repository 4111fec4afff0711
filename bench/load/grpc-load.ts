/** Load over plain HTTP/2 streams, with messages made before: a gRPC client would cost as much as the server it measures. */
import { connect, constants } from 'node:http2';
import type { ClientHttp2Session } from 'node:http2';
import { loadResult } from './load-result.ts';
import type { LoadResult } from './load-result.ts';

export interface GrpcLoadOptions {
  readonly port: number;
  readonly path: string;
  /** Metadata and messages, sent in turn. */
  readonly requests: readonly {
    readonly headers: Readonly<Record<string, string>>;
    readonly message: Buffer;
  }[];
  readonly connections: number;
  /** Calls that each connection has under way at once. */
  readonly callsEach: number;
  readonly seconds: number;
}

type GrpcRequest = GrpcLoadOptions['requests'][number];

/** A message as gRPC frames it: not compressed, its length, its bytes. */
function framed(message: Uint8Array): Buffer {
  const frame = Buffer.alloc(5 + message.length);
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, 5);
  return frame;
}

/** Resolves with the status of gRPC. */
function call(session: ClientHttp2Session, path: string, { headers, message }: GrpcRequest): Promise<string> {
  return new Promise((resolve, reject) => {
    const stream = session.request({
      [constants.HTTP2_HEADER_METHOD]: 'POST',
      [constants.HTTP2_HEADER_PATH]: path,
      'content-type': 'application/grpc',
      te: 'trailers',
      ...headers,
    });
    let status = 'none';
    const readStatus = (received: Readonly<Record<string, unknown>>): void => {
      const value = received['grpc-status'];
      if (typeof value === 'string') status = value;
    };
    stream.on('response', readStatus);
    stream.on('trailers', readStatus);
    stream.on('error', reject);
    stream.on('close', () => {
      resolve(status);
    });
    stream.resume();
    stream.end(message);
  });
}

export async function runGrpcLoad(options: GrpcLoadOptions): Promise<LoadResult> {
  const requests = options.requests.map(({ headers, message }) => ({ headers, message: framed(message) }));
  const sessions = Array.from({ length: options.connections }, () =>
    connect(`http://127.0.0.1:${options.port}`),
  );
  const latenciesMs: number[] = [];
  let failures = 0;
  let next = 0;
  const startMs = performance.now();
  const endMs = startMs + options.seconds * 1000;
  const caller = async (session: ClientHttp2Session): Promise<void> => {
    while (performance.now() < endMs) {
      const request = requests[next++ % requests.length];
      if (request === undefined) throw new Error('the load has no requests');
      const sentMs = performance.now();
      const status = await call(session, options.path, request);
      latenciesMs.push(performance.now() - sentMs);
      if (status !== '0') failures += 1;
    }
  };
  await Promise.all(
    sessions.flatMap((session) => Array.from({ length: options.callsEach }, () => caller(session))),
  );
  const elapsedSeconds = (performance.now() - startMs) / 1000;
  for (const session of sessions) session.close();
  return loadResult(latenciesMs, failures, elapsedSeconds);
}
