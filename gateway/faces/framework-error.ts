import type { FastifyError } from 'fastify';
import { GatewayError } from '../errors.ts';

/** What Fastify or one of its plugins refuses a request with, as an error of the catalogue. */
export function fromFrameworkError(error: Error & Partial<Pick<FastifyError, 'statusCode'>>): GatewayError {
  if (error instanceof GatewayError) return error;
  const status = error.statusCode ?? 500;
  if (status === 413) return new GatewayError('body_too_large', error.message, { cause: error });
  if (status < 500) return new GatewayError('invalid_request', error.message, { cause: error });
  return new GatewayError('internal', 'internal error; the log of the gateway has the details', {
    cause: error,
  });
}
