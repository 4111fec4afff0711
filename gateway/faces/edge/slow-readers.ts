import type { FastifyInstance } from 'fastify';
import { isHttp2 } from './framing.ts';

/** What is shorter fits into the buffers of a connection, and waits for nobody in this process; over HTTP/2 callers say how much they take. */
const WATCHED_FROM_BYTES = 64 * 1024;

/**
 * Hangs up on who takes too long to receive an answer: it lies in memory until then, and a reader that takes a byte now and then is never idle.
 *
 * @param longestMs for the whole of an answer
 */
export function cutOffSlowReaders(app: FastifyInstance, longestMs: number): void {
  app.addHook('onSend', (request, reply, payload, done) => {
    if (isLong(payload) || isHttp2(request.raw)) {
      const { raw } = reply;
      const timer = setTimeout(() => raw.destroy(), longestMs);
      raw.once('close', () => {
        clearTimeout(timer);
      });
    }
    done();
  });
}

function isLong(payload: unknown): boolean {
  return (
    (typeof payload === 'string' || payload instanceof Uint8Array) && payload.length >= WATCHED_FROM_BYTES
  );
}
