import type { FastifyInstance } from 'fastify';
import { rateHeaders } from '../limits/refusal.ts';
import type { Admission, Admitted, Spends } from '../trust/admission.ts';
import { refuseForeignNames, refuseForeignPages } from '../trust/browser-page.ts';
import type { Principal } from '../trust/principal.ts';
import type { RouteScope } from '../trust/scopes.ts';
import { callerHead } from './http-call.ts';
import type { RouteDocs } from './openapi/operation.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What a caller's key must allow; every route declares it. */
    scope?: RouteScope;
    /** What a call takes from its caller's limits; left out: one. */
    spends?: Spends;
    /** What OpenAPI says of it; every route declares it. */
    docs?: RouteDocs;
  }
  interface FastifyRequest {
    /** Who calls; null until the call was admitted. */
    principal: Principal | null;
  }
  interface FastifyInstance {
    /** Every route, as it was declared. */
    readonly declaredRoutes: readonly DeclaredRoute[];
  }
}

/** What a route declares of its callers, and of itself. */
interface ScopedRoute {
  readonly config: { readonly scope: RouteScope; readonly spends: Spends; readonly docs: RouteDocs };
}

/** A route and what it declares. */
export interface DeclaredRoute {
  readonly method: string | readonly string[];
  /** With parameters as `:model`. */
  readonly url: string;
  readonly scope: RouteScope;
  /** Undefined where the framework added it, as HEAD beside GET. */
  readonly docs: RouteDocs | undefined;
}

/**
 * A route's options that declare what its callers need, and what is told of it.
 *
 * @param spends `rows` for a route that goes through the pipeline, which takes what the call costs
 */
export function scope(needed: RouteScope, docs: RouteDocs, spends: Spends = 'one'): ScopedRoute {
  return { config: { scope: needed, spends, docs } };
}

/**
 * Admits every call of an application before its body is received. A route that declares no scope can't be registered:
 * the application isn't built.
 */
export function admitByScope(app: FastifyInstance, admission: Admission): void {
  app.decorateRequest('principal', null);
  const routes: DeclaredRoute[] = [];
  app.decorate('declaredRoutes', routes);
  app.addHook('onRoute', ({ method, url, config }) => {
    if (config?.scope === undefined) throw new Error(`${String(method)} ${url} declares no scope`);
    routes.push({ method, url, scope: config.scope, docs: config.docs });
  });
  app.addHook('onRequest', (request, reply, done) => {
    const { scope: needed, spends } = request.routeOptions.config;
    // There is nothing at that path, which is not a secret.
    if (needed === undefined) {
      done();
      return;
    }
    const welcome = (admitted: Admitted): void => {
      request.principal = admitted.principal;
      if (admitted.standing !== undefined) reply.headers(rateHeaders(admitted.standing));
      // However the call ends: a caller that hangs up is not under way any more.
      if (admitted.leave !== undefined) reply.raw.once('close', admitted.leave);
      done();
    };
    // Admission counts whom it doesn't let in.
    const refuse = (error: unknown): void => {
      request.isCounted = true;
      done(asError(error));
    };
    try {
      const head = callerHead(request);
      if (needed.startsWith('admin:')) {
        refuseForeignPages(head, request.method);
        if (admission.isOpen) refuseForeignNames(head);
      }
      const admitted = admission.admit(head, needed, 'http', spends);
      if (!(admitted instanceof Promise)) {
        welcome(admitted);
        return;
      }
      let isGone = false;
      reply.raw.once('close', () => {
        isGone = true;
      });
      admitted.then(
        (late) => {
          // Nobody would be told of its end any more, so it must not begin.
          if (isGone) late.leave?.();
          else welcome(late);
        },
        (error: unknown) => {
          refuse(error);
        },
      );
    } catch (error) {
      refuse(error);
    }
  });
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
