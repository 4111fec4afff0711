import type { FastifyError, FastifyInstance, FastifyReply } from 'fastify';
import type { Logger } from 'pino';
import { BackendError } from '../../backends/errors.ts';
import { GatewayError } from '../errors.ts';
import { fromFrameworkError } from './framework-error.ts';

/** Seconds; an estimate of more than that says that there is none. */
const LONGEST_RETRY_AFTER = 60;

/** Every error as `{"error": "…"}`: never a stack trace, never a framework's own words. */
export function answerErrors(app: FastifyInstance, log: Logger): void {
  app.setErrorHandler((error: FastifyError, request, reply) => {
    const known = fromFrameworkError(error);
    if (known.code === 'internal' && known !== error)
      log.error({ err: error, path: request.url }, 'request failed');
    sendError(reply, request.url, known);
  });
  app.setNotFoundHandler((request, reply) => {
    const path = request.url.split('?')[0]?.slice(0, 200) ?? '';
    sendError(
      reply,
      request.url,
      new GatewayError('unknown_path', `there is nothing at ${request.method} ${path}`),
    );
  });
}

function sendError(reply: FastifyReply, url: string, error: GatewayError): void {
  // Triton answers a body over the limit with 400, and its clients expect that.
  const status = error.code === 'body_too_large' && url.startsWith('/v2') ? 400 : error.status;
  if (error.status === 401) reply.header('www-authenticate', 'Bearer');
  if (error.status === 503) reply.header('retry-after', retryAfterSeconds(error));
  reply.headers(error.headers);
  // The rest of a body that is refused is not read: the connection can't be used again.
  if (error.code === 'body_too_large') reply.header('connection', 'close');
  void reply.code(status).send({ error: error.message });
}

/** Whole seconds, at least one and at most {@link LONGEST_RETRY_AFTER}: what the backend expects of its queue, where it can tell. */
function retryAfterSeconds({ cause }: GatewayError): string {
  const afterMs = cause instanceof BackendError ? (cause.retryAfterMs ?? 0) : 0;
  return String(Math.min(LONGEST_RETRY_AFTER, Math.max(1, Math.ceil(afterMs / 1000))));
}
