import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { constants, createUnzip, deflate, gzip } from 'node:zlib';
import { GatewayError } from '../errors.ts';

export type ContentCoding = 'gzip' | 'deflate';

const gzipAsync = promisify(gzip);
const deflateAsync = promisify(deflate);

/** Tensors of floats hardly shrink further at the slower levels. */
const FAST = { level: constants.Z_BEST_SPEED };

/**
 * Answers below this many bytes (or characters) go as they are: many callers ask for gzip with every request without a thought, and
 * what it saves of so small an answer is less than what it costs.
 */
export const COMPRESS_FROM_BYTES = 1024;

/** Compresses off the main thread. */
export function compress(body: string | Uint8Array, coding: ContentCoding): Promise<Buffer> {
  return coding === 'gzip' ? gzipAsync(body, FAST) : deflateAsync(body, FAST);
}

/**
 * The coding that a caller wants its answer in, by its header Accept-Encoding; the first of those it likes best.
 * Undefined where that is the answer as it is (`identity`), or where it names none that is spoken here.
 */
export function wantedCoding(accepted: string | string[] | undefined): ContentCoding | undefined {
  if (accepted === undefined) return undefined;
  let best: ContentCoding | undefined;
  let bestQuality = 0;
  for (const item of String(accepted).split(',')) {
    const [name = '', ...parameters] = item.split(';').map((part) => part.trim().toLowerCase());
    const coding = CODINGS.get(name);
    const said = parameters.find((parameter) => parameter.startsWith('q='));
    const quality = said === undefined ? 1 : Number(said.slice(2));
    if ((coding === undefined && name !== 'identity') || !(quality > bestQuality)) continue;
    best = coding;
    bestQuality = quality;
  }
  return best;
}

const CODINGS: ReadonlyMap<string, ContentCoding> = new Map([
  ['gzip', 'gzip'],
  ['x-gzip', 'gzip'],
  ['deflate', 'deflate'],
]);

/** What an error of a body says of its caller: that it isn't what its Content-Encoding says, or that the connection ended. */
export function bodyFailure(cause: Error | undefined): GatewayError {
  const code = cause !== undefined && 'code' in cause ? String(cause.code) : '';
  if (cause !== undefined && code.startsWith('Z_')) {
    const message = `the body is not what its Content-Encoding says: ${cause.message}`;
    return new GatewayError('invalid_request', message, { cause });
  }
  return new GatewayError('cancelled', 'the caller hung up in the middle of its body', { cause });
}

/**
 * The body as it was before its sender compressed it, inflated off the main thread and piece by piece, so that whoever
 * reads it can stop at a limit. The payload itself where it isn't compressed.
 *
 * @throws GatewayError for a coding that isn't spoken
 */
export function inflated(payload: IncomingMessage): Readable {
  const named = payload.headers['content-encoding']?.trim().toLowerCase() ?? '';
  if (named === '' || named === 'identity') return payload;
  if (!CODINGS.has(named)) {
    throw new GatewayError(
      'invalid_request',
      `unsupported Content-Encoding '${named.slice(0, 64)}'; expected gzip, deflate or none`,
    );
  }
  const unzip = createUnzip();
  payload.on('error', (error) => unzip.destroy(error));
  return payload.pipe(unzip);
}
