import { connect, constants } from 'node:http2';
import type { ClientHttp2Session, IncomingHttpHeaders } from 'node:http2';
import { status } from '@grpc/grpc-js';
import type { Entry } from '../entry.ts';
import { gatewayFor } from '../fuzzed-gateway.ts';
import { ACCEPTED } from '../verdict.ts';
import type { Verdict } from '../verdict.ts';
import { FAULTS } from './grpc.ts';

/** Long for an answer, and short for a message of which more is to come. */
const IDLE_MS = 500;

const OK: number = status.OK;

const SERVICE = '/inference.GRPCInferenceService';

/** A call as text: its path, its metadata, an empty line, and the model that it names. */
function call(method: string, name: string, ...metadata: readonly string[]): string {
  return `${[method, ...metadata].join('\n')}\n\n${name}`;
}

/** The message of a call that names something: the first field of all of them, with its length before it as it goes over the wire. */
function naming(name: Buffer): Buffer {
  const lengths = Buffer.alloc(5 + 1 + 5);
  lengths[5] = 0x0a;
  let at = 6;
  for (let rest = name.length; ; rest >>>= 7) {
    lengths[at] = rest > 0x7f ? (rest & 0x7f) | 0x80 : rest;
    at += 1;
    if (rest <= 0x7f) break;
  }
  lengths.writeUInt32BE(at - 5 + name.length, 1);
  return Buffer.concat([lengths.subarray(0, at), name]);
}

interface Answer {
  readonly code: number;
  readonly details: string;
}

interface Sent {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

function readCall(input: Buffer): Sent {
  const text = input.toString('latin1');
  const end = text.indexOf('\n\n');
  const [path = '', ...lines] = (end < 0 ? text : text.slice(0, end)).split('\n');
  const headers = Object.fromEntries(
    lines.map((line) => {
      const [name = '', ...value] = line.split(': ');
      return [name.toLowerCase(), value.join(': ')];
    }),
  );
  return { path, headers, body: naming(end < 0 ? Buffer.alloc(0) : input.subarray(end + 2)) };
}

/** Whole calls of gRPC: paths, metadata, deadlines, and names of models. */
export const grpcCalls: Entry = {
  name: 'grpc-calls',
  async open(shared) {
    const { gateway, release } = await gatewayFor(shared);
    let session: ClientHttp2Session | undefined;
    const connected = (): ClientHttp2Session => {
      if (session === undefined || session.closed || session.destroyed)
        session = connect(`http://${gateway.addresses.grpc}`).on('error', () => undefined);
      return session;
    };
    /** Its answer; undefined where it was hung up on. */
    const exchange = ({ path, headers, body }: Sent): Promise<Answer | undefined> =>
      new Promise((resolve) => {
        const stream = connected().request({
          ':method': 'POST',
          ':path': path,
          'content-type': 'application/grpc',
          te: 'trailers',
          ...headers,
        });
        let answer: Answer | undefined;
        const note = (read: IncomingHttpHeaders): void => {
          const { 'grpc-status': code, 'grpc-message': details = '' } = read;
          if (code !== undefined) answer = { code: Number(code), details: String(details) };
        };
        stream
          .on('response', note)
          .on('trailers', note)
          .on('error', () => undefined)
          .resume();
        stream.setTimeout(IDLE_MS, () => {
          stream.close(constants.NGHTTP2_CANCEL);
        });
        stream.on('close', () => {
          resolve(answer);
        });
        stream.end(body);
      });
    const judge = async (input: Buffer): Promise<Verdict> => {
      let answer: Answer | undefined;
      try {
        answer = await exchange(readCall(input));
      } catch {
        return { kind: 'refused', as: 'can not be sent' };
      }
      if (gateway.end !== undefined) return { kind: 'finding', reason: gateway.end };
      if (answer === undefined) return { kind: 'refused', as: 'hung up' };
      const { code, details } = answer;
      if (code === OK) return ACCEPTED;
      // The library itself refuses a time that is none, and calls it INTERNAL.
      return FAULTS.has(code) && !details.startsWith('Invalid%20grpc-timeout')
        ? { kind: 'finding', reason: `answered ${status[code] ?? code}: ${details}` }
        : { kind: 'refused', as: status[code] ?? String(code) };
    };
    let calls = 0;
    return {
      seeds: [
        call(
          `${SERVICE}/ModelMetadata`,
          'simple',
          'x-user-id: ada',
          'x-request-id: 1',
          'grpc-timeout: 30S',
          'traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
        ),
        call(
          `${SERVICE}/ModelReady`,
          'text',
          'authorization: Bearer x',
          'grpc-accept-encoding: gzip,identity',
        ),
        call(`${SERVICE}/ModelConfig`, 'simple', 'x-bin: AAEC'),
        call(`${SERVICE}/ModelStatistics`, 'integers'),
        call('/grpc.health.v1.Health/Check', 'inference.GRPCInferenceService'),
      ].map((text) => Buffer.from(text)),
      tokens: [
        'x-experiment: digits-cnn=v1\n',
        'x-request-id: \u00e4\n',
        'grpc-timeout: 1n\n',
        'grpc-timeout: 99999999H\n',
        'grpc-encoding: gzip\n',
        'content-type: application/grpc+proto\n',
        ':path: /\n',
        `${SERVICE}/`,
        'ModelInfer',
        'ModelStreamInfer',
        'RepositoryModelLoad',
        'SystemSharedMemoryStatus',
        'simple',
        // More than is told of a name, in characters of two halves.
        '\u{1f6a6}'.repeat(33),
      ],
      concurrency: 24,
      async attempt(input) {
        const [verdict, wrong] = await Promise.all([
          judge(input),
          calls++ % 8 === 0 ? gateway.checkCanary() : undefined,
        ]);
        return wrong === undefined ? verdict : { kind: 'finding', reason: wrong };
      },
      memoryBytes: () => gateway.memoryBytes(),
      async [Symbol.asyncDispose]() {
        session?.destroy();
        await release();
      },
    };
  },
};
