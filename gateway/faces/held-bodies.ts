import type { IncomingMessage } from 'node:http';
import type { FastifyInstance } from 'fastify';
import type { Gateway } from '../gateway.ts';
import type { BodyHold } from '../overload/body-budget.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** What the body takes of the memory for bodies; null for a body that is too small to count. */
    bodyHold: BodyHold | null;
  }
}

/** Bodies up to this size aren't counted where a connection has one at a time: connections, and the queues that hold them, are bounded by number. */
const COUNTED_FROM_BYTES = 64 * 1024;

/** Counts the memory of an application's bodies from before they are received until their calls are answered. */
export function holdBodies(app: FastifyInstance, { door, metrics }: Pick<Gateway, 'door' | 'metrics'>): void {
  app.decorateRequest('bodyHold', null);
  app.addHook('onRequest', (request, reply, done) => {
    const announced = announcedBytes(request.raw);
    const countedFrom = request.raw.httpVersionMajor === 1 ? COUNTED_FROM_BYTES : 1;
    if (announced !== undefined && announced < countedFrom) {
      done();
      return;
    }
    const hold = door.bodies.hold();
    try {
      // Of a body without a length each piece is counted as it comes; one that announces too much is refused where it is read, if it is.
      if (announced !== undefined && announced <= request.routeOptions.bodyLimit) hold.reserve(announced);
      request.bodyHold = hold;
      reply.raw.once('close', () => {
        hold.release();
      });
      done();
    } catch (error) {
      request.isCounted = true;
      metrics.recordRefusal('shed', 'http');
      done(error instanceof Error ? error : new Error(String(error)));
    }
  });
}

/** How long a body says it will be in memory, 0 where there is none; undefined where it doesn't say. */
function announcedBytes({ headers, httpVersionMajor }: IncomingMessage): number | undefined {
  const { 'content-length': announced, 'transfer-encoding': coding } = headers;
  // What a compressed body will become is not announced.
  if (headers['content-encoding'] !== undefined) return undefined;
  if (announced !== undefined) return Number(announced);
  // HTTP/2 has bodies that no header tells of.
  return coding === undefined && httpVersionMajor === 1 ? 0 : undefined;
}
