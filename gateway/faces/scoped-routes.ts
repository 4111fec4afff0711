import type { FastifyInstance, FastifyReply } from 'fastify';
import { rateHeaders } from '../trust/admission.ts';
import type { Admission, Admitted } from '../trust/admission.ts';
import type { Principal } from '../trust/principal.ts';
import type { RouteScope } from '../trust/scopes.ts';
import { headerOf } from './http-call.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What a caller's key must allow; every route declares it. */
    scope?: RouteScope;
  }
  interface FastifyRequest {
    /** Who calls; null until the call was admitted. */
    principal: Principal | null;
  }
}

/** A route's options that declare what its callers need. */
export function scope(needed: RouteScope): { readonly config: { readonly scope: RouteScope } } {
  return { config: { scope: needed } };
}

/**
 * Admits every call of an application before its body is received. A route that declares no scope can't be registered:
 * the application isn't built.
 */
export function admitByScope(app: FastifyInstance, admission: Admission): void {
  app.decorateRequest('principal', null);
  app.addHook('onRoute', ({ method, url, config }) => {
    if (config?.scope === undefined) throw new Error(`${String(method)} ${url} declares no scope`);
  });
  app.addHook('onRequest', (request, reply, done) => {
    const needed = request.routeOptions.config.scope;
    // There is nothing at that path, which is not a secret.
    if (needed === undefined) {
      done();
      return;
    }
    const welcome = (admitted: Admitted): void => {
      request.principal = admitted.principal;
      if (admitted.rate !== undefined) tellRate(reply, admitted.rate);
      done();
    };
    try {
      const { headers, socket } = request.raw;
      const { model } = request.params as { readonly model?: string };
      const admitted = admission.admit(
        { header: (name) => headerOf(headers, name), address: socket.remoteAddress ?? '', model },
        needed,
        'http',
      );
      if (admitted instanceof Promise) {
        admitted.then(welcome, (error: unknown) => {
          done(asError(error));
        });
      } else welcome(admitted);
    } catch (error) {
      done(asError(error));
    }
  });
}

function tellRate(reply: FastifyReply, { limit, verdict }: NonNullable<Admitted['rate']>): void {
  reply.headers(rateHeaders(limit, verdict));
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
