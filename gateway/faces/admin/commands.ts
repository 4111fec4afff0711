import type { FastifyInstance, FastifyRequest } from 'fastify';
import { whyUnprintable } from '../../../documents/unprintable.ts';
import type { Command } from '../../../experiments/standing/command.ts';
import { applyStanding } from '../../../experiments/standing/in-force.ts';
import type { Gateway } from '../../gateway.ts';
import { actorOf } from '../../standing/control.ts';
import { acceptAnyBody } from '../body.ts';
import { scope } from '../scoped-routes.ts';
import { NOTHING, flagAt, invalid, objectAt, own, parseJson, stringAt } from '../../json-values.ts';
import type { JsonObject } from '../../json-values.ts';
import { describeExperiment } from './describe-experiment.ts';
import { commandDocs } from './docs/commands.ts';
import { experimentOf } from './experiments.ts';

const BODY_LIMIT_BYTES = 16 * 1024;

const LONGEST_REASON = 500;

const ACTIONS = ['promote', 'pause', 'resume', 'rollback'] as const;

interface ByKey {
  readonly key: string;
}

/** What people do to experiments by hand. */
export function commandRoutes(app: FastifyInstance, gateway: Gateway): void {
  acceptAnyBody(app, BODY_LIMIT_BYTES);
  for (const action of ACTIONS) {
    app.post<{ Params: ByKey }>(
      `/api/experiments/:key/${action}`,
      scope('admin:write', commandDocs(action)),
      async (request) => {
        const { key } = experimentOf(gateway, request);
        const body = bodyOf(request.body);
        const isDryRun = flagAt(body, 'dryRun', 'the request');
        const { isChanged, standing } = await gateway.control.carryOut(key, {
          command: readCommand(action, body),
          reason: readReason(body),
          actor: actorOf(request.principal, request.clientAddress),
          requestKey: readRequestKey(request),
          isDryRun,
          decidedAt: readVersion(body),
        });
        const situation = gateway.experiments.situation(key);
        const file = situation?.experiment ?? experimentOf(gateway, request);
        return {
          changed: isChanged,
          ...(isDryRun && { dryRun: true }),
          ...describeExperiment(applyStanding(file, standing), { experiment: file, standing }),
        };
      },
    );
  }
}

function bodyOf(body: unknown): JsonObject {
  if (!(body instanceof Uint8Array) || body.length === 0) return NOTHING;
  return objectAt(parseJson(new TextDecoder().decode(body)), 'the request');
}

/** What each command takes. */
const EVERY: readonly string[] = ['reason', 'weightsVersion', 'dryRun'];

function readCommand(action: Command['action'], body: JsonObject): Command {
  const known = action === 'promote' ? [...EVERY, 'full', 'variant'] : EVERY;
  const unknown = Object.keys(body).find((key) => !known.includes(key));
  if (unknown !== undefined) {
    const where = ['full', 'variant'].includes(unknown) ? 'goes with promote' : 'is an unknown key';
    throw invalid(`the request.${unknown.slice(0, 64)} ${where}; ${action} takes ${known.join(', ')}`);
  }
  if (action !== 'promote') return { action };
  const variant = own(body, 'variant') === undefined ? undefined : stringAt(body, 'variant', 'the request');
  return { action, full: flagAt(body, 'full', 'the request'), variant };
}

function readVersion(body: JsonObject): number | undefined {
  const version = own(body, 'weightsVersion');
  if (version === undefined) return undefined;
  if (typeof version !== 'number' || !Number.isSafeInteger(version) || version < 1)
    throw invalid(
      'the request.weightsVersion is no whole number > 0; expected that of the experiment as it was seen',
    );
  return version;
}

/** Whoever reads the audit log later has nothing but the reason to go by. */
function readReason(body: JsonObject): string {
  const reason = stringAt(body, 'reason', 'the request').trim();
  if (reason === '') throw invalid('the request.reason is empty; expected why it is done, in a few words');
  if (reason.length > LONGEST_REASON)
    throw invalid(`the request.reason has ${reason.length} characters; expected ${LONGEST_REASON} at most`);
  const unprintable = whyUnprintable(reason);
  if (unprintable !== undefined) throw invalid(`the request.reason ${unprintable}`);
  return reason;
}

function readRequestKey({ headers }: FastifyRequest<{ Params: ByKey }>): string | undefined {
  const key = headers['idempotency-key'];
  if (key === undefined) return undefined;
  if (typeof key !== 'string' || !/^[\x21-\x7e]{1,128}$/.test(key))
    throw invalid('the header Idempotency-Key is not a word of 1 to 128 printable characters');
  return key;
}
