import type { FastifyInstance, FastifyRequest } from 'fastify';
import { headersRead } from '../../../experiments/headers-read.ts';
import { GatewayError } from '../../errors.ts';
import type { Gateway } from '../../gateway.ts';
import { mayBeAmbiguous, whyAmbiguous } from '../../trust/ambiguous-headers.ts';
import { clientAddress } from '../../trust/client-address.ts';
import { headerOf } from '../http-call.ts';
import { sayNoMore } from './client-errors.ts';
import { takeExpectations, whyUnmet } from './expectation.ts';
import { isHttp2, whyMisframed } from './framing.ts';
import { REQUEST_ID, checkedRequestId } from './request-id.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** When its headers had arrived, in `performance.now()` milliseconds. */
    arrivalMs: number;
    /** The caller's address, behind the proxies of `server.trustProxy`. */
    clientAddress: string;
  }
}

/** Nothing that comes on that connection afterwards can be trusted to begin where it seems to. */
const HANG_UP = { headers: { connection: 'close' } } as const;

/**
 * Looks at the head of every request of an application before anything else does: whether it can be read in two ways, what it expects, who sent
 * it, and what it calls itself.
 *
 * @param answerHeaders what every answer says, whatever it is
 */
export function screenRequests(
  app: FastifyInstance,
  { config, experiments }: Gateway,
  answerHeaders: Readonly<Record<string, string>>,
): void {
  const hops = config.server.trustedProxies;
  const isReadToo = (name: string): boolean => headersRead(experiments.current).has(name);
  takeExpectations(app.server);
  app.decorateRequest('arrivalMs', 0);
  app.decorateRequest('clientAddress', '');
  const screen = (request: FastifyRequest): string | undefined => {
    const { raw } = request;
    const { headers, rawHeaders } = raw;
    const misframed = whyMisframed(raw);
    if (misframed !== undefined) {
      sayNoMore(raw.socket);
      throw new GatewayError('invalid_request', misframed, HANG_UP);
    }
    if (mayBeAmbiguous(headers, rawHeaders)) {
      const ambiguous = whyAmbiguous(rawHeaders, isReadToo, isHttp2(raw));
      if (ambiguous !== undefined) throw new GatewayError('invalid_request', ambiguous, HANG_UP);
    }
    const unmet = whyUnmet(headers.expect);
    if (unmet !== undefined) throw new GatewayError('expectation_failed', unmet);
    const peer = raw.socket.remoteAddress ?? '';
    request.clientAddress =
      hops === 0 ? peer : clientAddress(peer, headerOf(headers, 'x-forwarded-for'), hops);
    const id = headers[REQUEST_ID];
    return id === undefined ? undefined : checkedRequestId(String(id));
  };
  app.addHook('onRequest', (request, reply, done) => {
    request.arrivalMs = performance.now();
    reply.headers(answerHeaders);
    try {
      const id = screen(request);
      if (id !== undefined) reply.header(REQUEST_ID, id);
      done();
    } catch (error) {
      done(error instanceof Error ? error : new Error(String(error)));
    }
  });
}
