import type { Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';

/** Whoever opened a connection a moment ago may be about to ask something. */
const WAIT_MS = 500;

/**
 * Lets an application that closes hang up on connections that nothing was asked on. Browsers open some ahead, and Node counts them as busy
 * until their headers are overdue: they would keep a gateway from stopping.
 *
 * @param isTls connections count from the end of their handshake, which has a time limit of its own
 */
export function hangUpOnUnused(app: FastifyInstance, isTls: boolean): void {
  const unused = new Set<Socket>();
  app.server.on(
    isTls ? 'secureConnection' : 'connection',
    (socket: Socket & { readonly alpnProtocol?: unknown }) => {
      // Those of HTTP/2 are closed by their own protocol.
      if (socket.alpnProtocol === 'h2') return;
      unused.add(socket);
      socket.once('close', () => unused.delete(socket));
    },
  );
  app.server.on('request', ({ socket }) => {
    unused.delete(socket);
  });
  app.addHook('preClose', (done) => {
    setTimeout(() => {
      for (const socket of unused) socket.destroy();
    }, WAIT_MS).unref();
    done();
  });
}
