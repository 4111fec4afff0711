import type { Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { isHttp2 } from './framing.ts';

/**
 * Does nothing for callers who are gone. Where more connections come than are accepted, they wait in the system's queue for longer than their callers
 * do: what is read then comes from callers who have given up, and to run it would leave no time for anybody who still waits, even long after
 * fewer come. The end of a connection is read a turn of the event loop after what was sent on it, so that the first request of each waits for a turn.
 *
 * @param onGone told of each request that was let go
 */
export function dropGoneCallers(app: FastifyInstance, onGone: () => void): void {
  const asked = new WeakSet<Socket>();
  app.addHook('onRequest', ({ raw }, _reply, done) => {
    if (isHttp2(raw) || asked.has(raw.socket)) {
      done();
      return;
    }
    asked.add(raw.socket);
    // The first ends the turn in which it was read, the second the one after.
    setImmediate(() => {
      setImmediate(() => {
        // There is nobody to answer.
        if (raw.destroyed) onGone();
        else done();
      });
    });
  });
}
