import { createHash } from 'node:crypto';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { scope } from '../scoped-routes.ts';
import { GatewayError } from '../../errors.ts';
import type { ErrorCode } from '../../errors.ts';
import type { Gateway } from '../../gateway.ts';
import type { Experiment } from '../../../experiments/definition.ts';
import { NOBODY } from '../../trust/principal.ts';
import { ownOf } from '../../trust/rights.ts';
import { acceptAnyBody } from '../body.ts';
import { answerRefusals } from '../error-answers.ts';
import { isObject, own, parseJson } from '../../json-values.ts';
import { readExactly, withExactNumbers } from '../../open-inference/whole-numbers.ts';
import type { EvaluationContext } from './context-caller.ts';
import { FLAGS_DOCS, FLAG_DOCS } from './docs.ts';
import { evaluateFlag } from './evaluation.ts';

/** A context is a few attributes; it is parsed on the main thread. */
const MAX_CONTEXT_BYTES = 256 * 1024;

interface FlagPath {
  readonly key?: string;
}

/**
 * The OpenFeature Remote Evaluation Protocol: any OpenFeature SDK can ask which variant somebody has. Asking counts
 * nothing: an exposure is an inference call.
 */
export function ofrepRoutes(app: FastifyInstance, gateway: Gateway): void {
  const { experiments, log } = gateway;
  acceptAnyBody(app, Math.min(gateway.config.server.bodyLimitBytes, MAX_CONTEXT_BYTES));

  answerRefusals(app, log, ({ code, message }, { params }) => {
    const { key } = params as FlagPath;
    return {
      ...(key !== undefined && { key }),
      errorCode: ERROR_CODES[code] ?? 'GENERAL',
      errorDetails: message,
      error: message,
    };
  });

  // To a key for some models the experiments of the others are flags that don't exist.
  const flagsFor = ({ principal }: FastifyRequest): readonly Experiment[] =>
    ownOf(principal ?? NOBODY, [...experiments.current.byKey.values()], ({ model }) => model).toSorted(
      (a, b) => (a.key < b.key ? -1 : 1),
    );

  app.post<{ Params: { key: string } }>(
    '/ofrep/v1/evaluate/flags/:key',
    scope('infer', FLAG_DOCS),
    async (request, reply) => {
      const { key } = request.params;
      const own = flagsFor(request);
      const experiment = own.find((served) => served.key === key);
      if (experiment === undefined) {
        const known = own.map((served) => served.key).join(', ') || 'none';
        throw new GatewayError(
          'unknown_flag',
          `there is no experiment '${key.slice(0, 64)}'; there are: ${known}`,
        );
      }
      const flag = await evaluateFlag(experiment, contextOf(request), gateway);
      if ('errorCode' in flag) throw new GatewayError('variant_unavailable', flag.errorDetails);
      return reply.send(flag);
    },
  );

  app.post('/ofrep/v1/evaluate/flags', scope('infer', FLAGS_DOCS), async (request, reply) => {
    const context = contextOf(request);
    const served = flagsFor(request);
    const body = JSON.stringify({
      flags: await Promise.all(served.map((experiment) => evaluateFlag(experiment, context, gateway))),
    });
    const etag = `"${createHash('sha256').update(body).digest('base64url')}"`;
    reply.header('etag', etag);
    if (isKnown(request.headers['if-none-match'], etag)) return reply.code(304).send();
    return reply.type('application/json; charset=utf-8').send(body);
  });
}

/** The codes of OpenFeature's for the errors of the catalogue. */
const ERROR_CODES: Partial<Record<ErrorCode, string>> = {
  unknown_flag: 'FLAG_NOT_FOUND',
  targeting_key_missing: 'TARGETING_KEY_MISSING',
  invalid_context: 'INVALID_CONTEXT',
  invalid_request: 'PARSE_ERROR',
  body_too_large: 'PARSE_ERROR',
};

/** @throws GatewayError */
function contextOf(request: FastifyRequest): EvaluationContext {
  const bytes = request.body instanceof Uint8Array ? request.body : new Uint8Array();
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8');
  const root = parseJson(text);
  const attributes = isObject(root) ? own(root, 'context') : undefined;
  if (!isObject(attributes)) {
    throw new GatewayError(
      'invalid_context',
      'the body has no context; expected {"context": {"targetingKey": "…"}}',
    );
  }
  const targetingKey = own(attributes, 'targetingKey');
  if (targetingKey === undefined || targetingKey === '') {
    throw new GatewayError('targeting_key_missing', 'context.targetingKey is missing; it names the unit');
  }
  if (typeof targetingKey !== 'string') {
    throw new GatewayError('invalid_context', 'context.targetingKey is no string; it names the unit');
  }
  const again = (): unknown => {
    const exact = readExactly(text);
    return isObject(exact) ? own(exact, 'context') : undefined;
  };
  return { targetingKey, attributes: withExactNumbers(attributes, again) };
}

/** @param header If-None-Match, a list of entity tags */
function isKnown(header: string | undefined, etag: string): boolean {
  const tags = header?.split(',').map((tag) => tag.trim().replace(/^W\//, '')) ?? [];
  return tags.includes(etag) || tags.includes('*');
}
