import type { FastifyInstance } from 'fastify';
import { Compile } from 'typebox/compile';
import { GatewayError } from '../../errors.ts';
import type { MalformedOutcome, OutcomeIntake } from '../../outcomes/intake.ts';
import type { SentOutcome } from '../../outcomes/judge.ts';
import { NOBODY } from '../../trust/principal.ts';
import { acceptAnyBody } from '../body.ts';
import { scope } from '../scoped-routes.ts';
import { OUTCOMES_DOCS } from './docs.ts';
import { MAX_OUTCOMES, OutcomeSchema } from './outcome-schema.ts';

/** 1,000 outcomes take about 200 KiB. */
const BODY_LIMIT_BYTES = 1024 ** 2;

const checkOutcome = Compile(OutcomeSchema);

/** `POST /v1/outcomes`: what came of predictions, one or many. */
export function outcomeRoutes(app: FastifyInstance, intake: OutcomeIntake): void {
  acceptAnyBody(app, BODY_LIMIT_BYTES);
  app.post('/v1/outcomes', scope('outcomes', OUTCOMES_DOCS), async (request, reply) => {
    const outcomes = readOutcomes(request.body as Uint8Array | undefined);
    return reply.code(202).send(await intake.take(outcomes, request.principal ?? NOBODY));
  });
}

/** @throws GatewayError `invalid_request` */
function readOutcomes(body: Uint8Array | undefined): readonly (SentOutcome | MalformedOutcome)[] {
  let read: unknown;
  try {
    read = JSON.parse(Buffer.from(body ?? []).toString('utf8'));
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new GatewayError('invalid_request', `the body is no JSON: ${reason.slice(0, 200)}`, { cause });
  }
  const items: readonly unknown[] = Array.isArray(read) ? read : [read];
  if (items.length > MAX_OUTCOMES) {
    throw new GatewayError(
      'invalid_request',
      `the body has ${items.length} outcomes; at most ${MAX_OUTCOMES} are taken at once`,
    );
  }
  return items.map((item) => {
    if (checkOutcome.Check(item)) return item;
    const wrong = `${whatIsWrong(item)}; expected {"prediction_id": "…", "metric": "…", "value": …}`;
    // One of a list is refused by itself, as a value that its metric doesn't take is.
    if (Array.isArray(read)) return { malformed: wrong };
    throw new GatewayError('invalid_request', `the body is no outcome: ${wrong} or a list of them`);
  });
}

function whatIsWrong(item: unknown): string {
  // The companion of an unknown key's error says less.
  const error = checkOutcome.Errors(item).find(({ keyword }) => keyword !== 'boolean');
  const where = error?.instancePath.slice(1).replaceAll('/', '.') ?? '';
  // Of a value that is none of its kinds the first kind alone would be told.
  if (where.split('.')[0] === 'value')
    return 'value must be a number, true, false or {"numerator": number, "denominator": number}';
  return `${where === '' ? 'the outcome' : where} ${error?.message ?? 'is wrong'}`;
}
