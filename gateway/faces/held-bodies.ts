import type { FastifyInstance } from 'fastify';
import type { BodyBudget, BodyHold } from '../overload/body-budget.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** What the body takes of the memory for bodies; null for a body that is too small to count. */
    bodyHold: BodyHold | null;
  }
}

/** Bodies up to this size aren't counted: the queues that hold them are bounded by number. */
const COUNTED_FROM_BYTES = 64 * 1024;

/** Counts the memory of an application's bodies from before they are received until their calls are answered. */
export function holdBodies(app: FastifyInstance, budget: BodyBudget): void {
  app.decorateRequest('bodyHold', null);
  app.addHook('onRequest', (request, reply, done) => {
    const { 'content-length': announced, 'transfer-encoding': coding } = request.raw.headers;
    const bytes = announced === undefined ? 0 : Number(announced);
    if (coding === undefined && bytes < COUNTED_FROM_BYTES) {
      done();
      return;
    }
    const hold = budget.hold();
    try {
      // Of a body without a length each piece is counted as it comes.
      if (bytes <= request.routeOptions.bodyLimit) hold.grow(bytes);
      request.bodyHold = hold;
      reply.raw.once('close', hold.release);
      done();
    } catch (error) {
      hold.release();
      done(error instanceof Error ? error : new Error(String(error)));
    }
  });
}
