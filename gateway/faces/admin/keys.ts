import type { FastifyInstance, FastifyRequest } from 'fastify';
import { Compile } from 'typebox/compile';
import { InvalidDocuments } from '../../../documents/problem.ts';
import { whyUnprintable } from '../../../documents/unprintable.ts';
import { StoreUnavailable } from '../../../experiments/stores/state-store.ts';
import type { AuditedKey, KeyChange } from '../../audit/audit-event.ts';
import { GatewayError } from '../../errors.ts';
import type { Gateway } from '../../gateway.ts';
import { actorOf } from '../../standing/control.ts';
import { beyondOf, wishOf, withOwnLimits } from '../../trust/delegation.ts';
import type { Wish } from '../../trust/delegation.ts';
import { EXPIRY_EXPECTED, ROTATION_MS, durationMs, expiryOf } from '../../trust/expiry.ts';
import type { KeyDesk, MadeKey, ShownKey } from '../../trust/key-desk.ts';
import { UnknownKey } from '../../trust/key-store.ts';
import { ANYBODY, NOBODY } from '../../trust/principal.ts';
import type { Principal } from '../../trust/principal.ts';
import { acceptAnyBody } from '../body.ts';
import { scope } from '../scoped-routes.ts';
import { NOTHING, parseJson } from '../../json-values.ts';
import { CREATE_KEY_DOCS, KEYS_DOCS, REVOKE_KEY_DOCS, ROTATE_KEY_DOCS } from './docs/keys.ts';
import { GrantSchema, RotationSchema } from './key-schemas.ts';

/** What a key may do is some hundred bytes. */
const BODY_LIMIT_BYTES = 64 * 1024;

interface ById {
  readonly id: string;
}

const checkGrant = Compile(GrantSchema);

const checkRotation = Compile(RotationSchema);

/** Who may call: made, shown, rotated and revoked; what opens is told once, to whoever made it. */
export function keyRoutes(app: FastifyInstance, gateway: Gateway): void {
  acceptAnyBody(app, BODY_LIMIT_BYTES);

  app.get(
    '/api/keys',
    scope('admin:read', KEYS_DOCS),
    ({ principal }): { readonly keys: readonly ShownKey[] } => {
      const models = principal?.models;
      return {
        keys: deskOf(gateway)
          .list()
          .filter((key) => models === undefined || key.models?.some((model) => models.has(model)) === true),
      };
    },
  );

  app.post('/api/keys', scope('admin:write', CREATE_KEY_DOCS), async (request, reply) => {
    const { expires, models = [], ...rest } = readBody(request, checkGrant);
    const unprintable = whyUnprintable(rest.name);
    if (unprintable !== undefined) throw invalid(`name ${unprintable}`);
    const principal = request.principal ?? NOBODY;
    const grant = withOwnLimits(principal, {
      rate: undefined,
      concurrency: undefined,
      daily: undefined,
      priority: undefined,
      ...rest,
      models,
      expires: expires === undefined ? undefined : readExpiry(expires),
    });
    requireWithin(principal, wishOf(grant));
    const desk = deskOf(gateway);
    const made = await changing(() => desk.create(grant));
    await note(gateway, request, {
      action: 'key.create',
      key: made.id,
      before: null,
      after: auditedKey(desk, made.id),
    });
    return reply.code(201).header('cache-control', 'no-store').send(made);
  });

  app.post<{ Params: ById }>(
    '/api/keys/:id/rotate',
    scope('admin:write', ROTATE_KEY_DOCS),
    async (request, reply) => {
      const { keep } = readBody(request, checkRotation);
      const keepMs = keep === undefined ? ROTATION_MS : durationMs(keep);
      if (keepMs === undefined) throw invalid(`keep is ${JSON.stringify(keep)}; expected ${EXPIRY_EXPECTED}`);
      const { id } = request.params;
      const principal = request.principal ?? NOBODY;
      const desk = deskOf(gateway);
      requireOwn(principal, desk, id, 'rotate');
      const before = auditedKey(desk, id);
      const made: MadeKey = await changing(() => desk.rotate(id, keepMs));
      await note(gateway, request, {
        action: 'key.rotate',
        key: id,
        before,
        after: auditedKey(desk, made.id),
      });
      return reply.code(201).header('cache-control', 'no-store').send(made);
    },
  );

  app.delete<{ Params: ById }>('/api/keys/:id', scope('admin:write', REVOKE_KEY_DOCS), async (request) => {
    const { id } = request.params;
    const principal = request.principal ?? NOBODY;
    const desk = deskOf(gateway);
    requireOwn(principal, desk, id, 'revoke');
    const before = auditedKey(desk, id);
    await changing(() => desk.revoke(id));
    await note(gateway, request, { action: 'key.revoke', key: id, before, after: null });
    return { revoked: id };
  });
}

function deskOf({ door: { keyDesk } }: Gateway): KeyDesk {
  if (keyDesk !== undefined) return keyDesk;
  throw new GatewayError('no_keys', 'there are no keys here: `auth.keys` is not configured');
}

/**
 * Nobody gives away more than they have.
 *
 * @throws GatewayError `forbidden`
 */
function requireWithin(principal: Principal, wish: Wish): void {
  const beyond = beyondOf(principal, wish);
  if (beyond === undefined) return;
  throw new GatewayError(
    'forbidden',
    `${principal.id} can't give ${beyond}, which it has not; a key has what its maker has at the most`,
  );
}

/**
 * A key for some models changes keys for these only, and none is changed by one that has fewer scopes. Whoever rotates a key gets all that it
 * may, and so must have all of that.
 */
function requireOwn(principal: Principal, desk: KeyDesk, id: string, change: 'rotate' | 'revoke'): void {
  const key = desk.list().find((candidate) => candidate.id === id);
  if (key === undefined) return;
  const { scopes, models } = principal;
  const beyond = beyondOf(change === 'rotate' ? principal : { ...ANYBODY, scopes, models }, key);
  if (beyond !== undefined)
    throw new GatewayError(
      'forbidden',
      `${principal.id} can't ${change} key ${id}, which has ${beyond}; it has not all that this key has`,
    );
  if (change === 'rotate' && key.expired)
    throw invalid(`key ${id} ended at ${key.expires ?? ''}, and so would its successor; make a new key`);
}

async function changing<Result>(change: () => Promise<Result>): Promise<Result> {
  try {
    return await change();
  } catch (cause) {
    if (cause instanceof UnknownKey) throw new GatewayError('unknown_key', cause.message, { cause });
    if (cause instanceof InvalidDocuments) throw invalid(cause.message);
    const reason = cause instanceof Error ? cause.message : String(cause);
    const isPlace = cause instanceof StoreUnavailable || (cause instanceof Error && 'code' in cause);
    if (!isPlace) throw cause;
    throw new GatewayError('keys_unavailable', `the keys can't be changed now: ${reason}`, { cause });
  }
}

async function note(
  { audit, log }: Gateway,
  { principal, clientAddress }: FastifyRequest,
  change: Pick<KeyChange, 'action' | 'key' | 'before' | 'after'>,
): Promise<void> {
  const { action, key } = change;
  log.info({ actor: principal?.id, key, action }, 'key changed');
  await audit.write({ kind: 'key', actor: actorOf(principal, clientAddress), ...change });
}

function auditedKey(desk: KeyDesk, id: string): AuditedKey | null {
  const key = desk.list().find((candidate) => candidate.id === id);
  if (key === undefined) return null;
  const { name, scopes, models, rate, concurrency, daily, priority, expires } = key;
  return { id, name, scopes, models, rate, concurrency, daily, priority, expires };
}

function readExpiry(text: string): string {
  const found = expiryOf(text, Date.now());
  if (found === undefined) throw invalid(`expires is ${JSON.stringify(text)}; expected ${EXPIRY_EXPECTED}`);
  if (Date.parse(found) <= Date.now())
    throw invalid(`expires is ${JSON.stringify(text)}, which has passed; expected a time to come`);
  return found;
}

interface Checker<Body> {
  Check(value: unknown): value is Body;
  Errors(value: unknown): readonly { readonly instancePath: string; readonly message: string }[];
}

/** A body may be left out, which stands for an empty object. */
function readBody<Body>({ body }: FastifyRequest, checker: Checker<Body>): Body {
  const read =
    body instanceof Uint8Array && body.length > 0 ? parseJson(new TextDecoder().decode(body)) : NOTHING;
  if (checker.Check(read)) return read;
  const [error] = checker.Errors(read);
  throw invalid(`the body${error?.instancePath.replaceAll('/', '.') ?? ''} ${error?.message ?? 'is wrong'}`);
}

function invalid(message: string): GatewayError {
  return new GatewayError('invalid_request', message);
}
