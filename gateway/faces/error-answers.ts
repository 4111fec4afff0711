import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Logger } from 'pino';
import { GatewayError } from '../errors.ts';
import { fromFrameworkError } from './framework-error.ts';
import { answerAndHangUp } from './lingering-answer.ts';
import { methodsAt } from './methods-at.ts';
import { errorHeaders } from './retry-after.ts';
import { shownPath } from './shown-path.ts';

/** Writes an error as the protocol of a path has it. */
export type ErrorBody = (error: GatewayError, request: FastifyRequest) => object;

const PLAIN: ErrorBody = ({ message }) => ({ error: message });

/** Every error of an application, or of a part of it, as `body` writes it: never a stack trace, never a framework's own words. */
export function answerErrors(app: FastifyInstance, log: Logger, body = PLAIN): void {
  answerRefusals(app, log, body);
  app.setNotFoundHandler((request, reply) => {
    sendError(request, reply, nothingThere(request), body);
  });
}

/** The same of a part that has no paths to itself: what is at none of its routes is the application's to answer. */
export function answerRefusals(app: FastifyInstance, log: Logger, body: ErrorBody): void {
  app.setErrorHandler((error: FastifyError, request, reply) => {
    const known = fromFrameworkError(error);
    if (known.code === 'internal' && known !== error)
      log.error({ err: error, path: shownPath(request.url) }, 'request failed');
    sendError(request, reply, known, body);
  });
}

function nothingThere({ server, method, url }: FastifyRequest): GatewayError {
  const path = shownPath(url);
  const shown = path.slice(0, 200);
  const methods = methodsAt(server.declaredRoutes, path);
  return methods.length === 0
    ? new GatewayError('unknown_path', `there is nothing at ${method} ${shown}`)
    : new GatewayError(
        'method_not_allowed',
        `${shown} does not take ${method}; expected ${methods.join(' or ')}`,
        { headers: { allow: methods.join(', ') } },
      );
}

function sendError(request: FastifyRequest, reply: FastifyReply, error: GatewayError, body: ErrorBody): void {
  // Triton answers a body over the limit with 400, and its clients expect that.
  const status = error.code === 'body_too_large' && request.url.startsWith('/v2') ? 400 : error.status;
  if (error.status === 401) reply.header('www-authenticate', 'Bearer');
  reply.headers(errorHeaders(error));
  reply.code(status);
  if (error.code === 'body_too_large') answerAndHangUp(request, reply, body(error, request));
  else void reply.send(body(error, request));
}
