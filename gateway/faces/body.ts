import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { GatewayError } from '../errors.ts';
import type { BodyHold } from '../overload/body-budget.ts';
import { bodyFailure, inflated } from './content-coding.ts';

/**
 * Takes bodies of any content type, or of none, as bytes: Triton's clients send JSON as `application/octet-stream`.
 * A body whose length is known is received into one block, so that a large one is never copied together at its end.
 *
 * @param passesOn whether a long body may be passed on to a server elsewhere as it comes: then it is left on its connection, and
 *   the request's body is the connection's stream; left out: no body is
 */
export function acceptAnyBody(
  app: FastifyInstance,
  limitBytes: number,
  passesOn: (request: FastifyRequest) => boolean = () => false,
): void {
  app.removeAllContentTypeParsers();
  app.addHook('onRequest', ({ raw: { headers } }, _reply, done) => {
    const type = headers['content-type'];
    // What is no media type, as `jpeg` or nothing, says as little as a header that isn't there; the framework would refuse it.
    if (type !== undefined && !isMediaType(type)) headers['content-type'] = ANY_BYTES;
    done();
  });
  app.addContentTypeParser([...COMMON_TYPES, '*'], (request, payload, done) => {
    if (isLong(payload, limitBytes) && passesOn(request)) done(null, payload);
    else receive(payload, limitBytes, done, undefined, request.bodyHold);
  });
}

/** Bodies up to this are received whole, so that they can be sent again, or answered by somebody else. */
const HOLD_BYTES = 64 * 1024;

/** Whether a body is passed on as it comes, where it may be; one that is over the limit is refused before anybody sees it. */
export function isLong({ headers }: IncomingMessage, limitBytes: number): boolean {
  const announced = Number(headers['content-length']);
  return !(announced <= HOLD_BYTES) && !(announced > limitBytes);
}

/**
 * Receives a body that was left on its connection.
 *
 * @param hold counts it as it comes
 * @param inflating where somebody began to inflate it
 */
export function receiveBody(
  payload: IncomingMessage,
  limitBytes: number,
  hold: BodyHold | null,
  inflating?: Readable,
): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    receive(
      payload,
      limitBytes,
      (error, body) => {
        if (error === null) resolve(body ?? new Uint8Array());
        else reject(error);
      },
      inflating,
      hold,
    );
  });
}

const ANY_BYTES = 'application/octet-stream';

/** What most callers send. The framework looks up a type that it knows, and reads every other one anew for each request. */
const COMMON_TYPES = ['application/json', ANY_BYTES];

function isMediaType(type: string): boolean {
  return COMMON_TYPES.includes(type) || MEDIA_TYPE.test(type);
}

/** Two tokens, and perhaps parameters. Source: RFC 9110, sections 5.6.2 and 8.3.1. */
const MEDIA_TYPE = /^[\w!#$%&'*+.^`|~-]+\/[\w!#$%&'*+.^`|~-]+\s*(?:;|$)/;

function receive(
  payload: IncomingMessage,
  limitBytes: number,
  done: (error: Error | null, body?: Uint8Array) => void,
  inflating?: Readable,
  hold: BodyHold | null = null,
): void {
  const sent = Number(payload.headers['content-length']);
  if (sent > limitBytes) {
    done(bodyTooLarge(String(sent), limitBytes));
    return;
  }
  let source: Readable;
  try {
    source = inflating ?? inflated(payload);
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
  const refuse = (error: Error): void => {
    block = undefined;
    chunks.length = 0;
    source.removeAllListeners('data').removeAllListeners('end').off('error', onError).on('error', ignore);
    stopReading(payload, source);
    done(error);
  };
  source.on('data', (chunk: Buffer) => {
    // Most bodies come in one piece; the others of a known length are put together as they come.
    if (received === 0 && announced > chunk.length) block = Buffer.allocUnsafeSlow(announced);
    if (block === undefined) chunks.push(chunk);
    else chunk.copy(block, received);
    received += chunk.length;
    if (received > limitBytes) {
      refuse(bodyTooLarge(`more than ${limitBytes}`, limitBytes));
      return;
    }
    try {
      hold?.receive(chunk.length);
    } catch (error) {
      refuse(error instanceof Error ? error : new Error(String(error)));
    }
  });
  source.on('end', () => {
    const [first] = chunks;
    done(null, block ?? (chunks.length === 1 && first !== undefined ? first : Buffer.concat(chunks)));
  });
  const onError = (cause: Error | undefined): void => {
    stopReading(payload, source);
    done(bodyFailure(cause));
  };
  // It may have broken off before it was asked for.
  if (source.destroyed) {
    source.on('error', ignore);
    onError(source.errored ?? undefined);
  } else source.on('error', onError);
}

/** Lets the rest of a body pass unread. */
export function stopReading(payload: IncomingMessage, source: Readable): void {
  if (source !== payload) {
    payload.unpipe();
    source.destroy();
  }
  payload.resume();
}

function ignore(): void {
  // A body that was refused already may go on to break off.
}

export function bodyTooLarge(bytes: string, limitBytes: number): GatewayError {
  return new GatewayError('body_too_large', `the body has ${bytes} bytes; at most ${limitBytes} are taken`);
}
