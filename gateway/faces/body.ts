import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import type { FastifyInstance } from 'fastify';
import { GatewayError } from '../errors.ts';
import { inflated } from './content-coding.ts';

/**
 * Takes bodies of any content type, or of none, as bytes: Triton's clients send JSON as `application/octet-stream`.
 * A body whose length is known is received into one block, so that a large one is never copied together at its end.
 */
export function acceptAnyBody(app: FastifyInstance, limitBytes: number): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser([...COMMON_TYPES, '*'], (_request, payload, done) => {
    receive(payload, limitBytes, done);
  });
}

/** What most callers send. The framework looks up a type that it knows, and reads every other one anew for each request. */
const COMMON_TYPES = ['application/json', 'application/octet-stream'];

function receive(
  payload: IncomingMessage,
  limitBytes: number,
  done: (error: Error | null, body?: Uint8Array) => void,
): void {
  const sent = Number(payload.headers['content-length']);
  if (sent > limitBytes) {
    done(tooLarge(String(sent), limitBytes));
    return;
  }
  let source: Readable;
  try {
    source = inflated(payload);
  } catch (error) {
    payload.resume();
    done(error instanceof Error ? error : new Error(String(error)));
    return;
  }
  const isCompressed = source !== payload;
  // What a compressed body will become is not announced.
  const announced = isCompressed ? Number.NaN : sent;
  const chunks: Buffer[] = [];
  let block: Buffer | undefined;
  let received = 0;
  source.on('data', (chunk: Buffer) => {
    // Most bodies come in one piece; the others of a known length are put together as they come.
    if (received === 0 && announced > chunk.length) block = Buffer.allocUnsafeSlow(announced);
    if (block === undefined) chunks.push(chunk);
    else chunk.copy(block, received);
    received += chunk.length;
    if (received > limitBytes) {
      block = undefined;
      chunks.length = 0;
      source.removeAllListeners('data').removeAllListeners('end').off('error', onError).on('error', ignore);
      stopReading(payload, source);
      done(tooLarge(`more than ${limitBytes}`, limitBytes));
    }
  });
  source.on('end', () => {
    const [first] = chunks;
    done(null, block ?? (chunks.length === 1 && first !== undefined ? first : Buffer.concat(chunks)));
  });
  const onError = (cause: Error): void => {
    if (!isCompressed || payload.errored !== null) {
      done(cause);
      return;
    }
    stopReading(payload, source);
    const message = `the body is not what its Content-Encoding says: ${cause.message}`;
    done(new GatewayError('invalid_request', message, { cause }));
  };
  source.on('error', onError);
}

/** Lets the rest of a body pass unread. */
function stopReading(payload: IncomingMessage, source: Readable): void {
  if (source !== payload) {
    payload.unpipe();
    source.destroy();
  }
  payload.resume();
}

function ignore(): void {
  // A body that was refused already may go on to break off.
}

function tooLarge(bytes: string, limitBytes: number): GatewayError {
  return new GatewayError('body_too_large', `the body has ${bytes} bytes; at most ${limitBytes} are taken`);
}
