import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { GatewayError } from '../errors.ts';
import { shownPath } from './shown-path.ts';

/** Of one part of a path, decoded. Names of models and experiments have 63 at most. */
export const LONGEST_PART = 200;

/**
 * Answers a request whose path can't be taken apart, which no route and no hook gets to see.
 *
 * @param bodyOf an error as the names under that path write it
 */
export function answerUnreadablePath(
  answerHeaders: Readonly<Record<string, string>>,
  bodyOf: (error: GatewayError, path: string) => object,
): (error: FastifyError, request: FastifyRequest, reply: FastifyReply) => void {
  return ({ code }, { method, url }, reply) => {
    const path = shownPath(url);
    const shown = path.slice(0, LONGEST_PART);
    const error =
      code === 'FST_ERR_MAX_PARAM_LENGTH'
        ? new GatewayError(
            'unknown_path',
            `there is nothing at ${method} ${shown}…: a name in it has more than ${LONGEST_PART} characters`,
          )
        : new GatewayError(
            'invalid_request',
            `the path ${shown} can't be decoded: after each % two hexadecimal digits are expected, and UTF-8; % itself is %25`,
          );
    void reply.headers(answerHeaders).code(error.status).send(bodyOf(error, path));
  };
}
