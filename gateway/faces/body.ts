import type { IncomingMessage } from 'node:http';
import type { FastifyInstance } from 'fastify';
import { GatewayError } from '../errors.ts';

/**
 * Takes bodies of any content type, or of none, as bytes: Triton's clients send JSON as `application/octet-stream`.
 * A body whose length is known is received into one block, so that a large one is never copied together at its end.
 */
export function acceptAnyBody(app: FastifyInstance, limitBytes: number): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (_request, payload, done) => {
    receive(payload, limitBytes, done);
  });
}

function receive(
  payload: IncomingMessage,
  limitBytes: number,
  done: (error: Error | null, body?: Uint8Array) => void,
): void {
  const announced = Number(payload.headers['content-length']);
  if (announced > limitBytes) {
    done(tooLarge(String(announced), limitBytes));
    return;
  }
  const chunks: Buffer[] = [];
  let block: Buffer | undefined;
  let received = 0;
  payload.on('data', (chunk: Buffer) => {
    // Most bodies come in one piece; the others of a known length are put together as they come.
    if (received === 0 && announced > chunk.length) block = Buffer.allocUnsafeSlow(announced);
    if (block === undefined) chunks.push(chunk);
    else chunk.copy(block, received);
    received += chunk.length;
    if (received > limitBytes) {
      block = undefined;
      chunks.length = 0;
      payload.removeAllListeners('data').removeAllListeners('end').resume();
      done(tooLarge(`more than ${limitBytes}`, limitBytes));
    }
  });
  payload.on('end', () => {
    const [first] = chunks;
    done(null, block ?? (chunks.length === 1 && first !== undefined ? first : Buffer.concat(chunks)));
  });
  payload.on('error', done);
}

function tooLarge(bytes: string, limitBytes: number): GatewayError {
  return new GatewayError('body_too_large', `the body has ${bytes} bytes; at most ${limitBytes} are taken`);
}
