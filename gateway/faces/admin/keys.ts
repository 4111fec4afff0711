import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Static } from 'typebox';
import { Compile } from 'typebox/compile';
import { InvalidDocuments } from '../../../documents/problem.ts';
import { StoreUnavailable } from '../../../experiments/stores/state-store.ts';
import type { AuditedKey, KeyChange } from '../../audit/audit-event.ts';
import { GatewayError } from '../../errors.ts';
import type { Gateway } from '../../gateway.ts';
import { actorOf } from '../../standing/control.ts';
import { EXPIRY_EXPECTED, ROTATION_MS, durationMs, expiryOf } from '../../trust/expiry.ts';
import type { KeyDesk, MadeKey, ShownKey } from '../../trust/key-desk.ts';
import { UnknownKey } from '../../trust/key-store.ts';
import { NOBODY } from '../../trust/principal.ts';
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
    const principal = request.principal ?? NOBODY;
    const grant = {
      rate: undefined,
      concurrency: undefined,
      daily: undefined,
      priority: undefined,
      ...rest,
      models,
      expires: expires === undefined ? undefined : readExpiry(expires),
    };
    requireWithin(principal, grant.scopes, models);
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
      requireOwn(principal, desk, id);
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
    requireOwn(principal, desk, id);
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

/** Nobody gives away more than they have. */
function requireWithin(
  { id, scopes, models }: Principal,
  wanted: Static<typeof GrantSchema>['scopes'],
  wantedModels: readonly string[],
): void {
  const beyond = wanted.filter((name) => !scopes.has(name));
  if (beyond.length > 0)
    throw new GatewayError('forbidden', `${id} can't give the scope ${beyond.join(', ')}, which it has not`);
  if (models === undefined) return;
  const foreign = wantedModels.filter((model) => !models.has(model));
  if (wantedModels.length === 0 || foreign.length > 0) {
    throw new GatewayError(
      'forbidden',
      `${id} can make keys for its own models only: ${[...models].join(', ')}`,
    );
  }
}

/** A key for some models changes keys for these only, and no key is rotated by one that has fewer scopes. */
function requireOwn(principal: Principal, desk: KeyDesk, id: string): void {
  const key = desk.list().find((candidate) => candidate.id === id);
  if (key === undefined) return;
  const beyond = key.scopes.some((name) => ![...principal.scopes].some((own) => own === name));
  const foreign =
    principal.models !== undefined &&
    (key.models === null || key.models.some((model) => principal.models?.has(model) !== true));
  if (beyond || foreign)
    throw new GatewayError(
      'forbidden',
      `${principal.id} has not all that key ${id} has, and can't change it`,
    );
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
  const found = desk.list().find((key) => key.id === id);
  if (found === undefined) return null;
  const { expired: _, ...key } = found;
  return key;
}

function readExpiry(text: string): string {
  const found = expiryOf(text, Date.now());
  if (found === undefined) throw invalid(`expires is ${JSON.stringify(text)}; expected ${EXPIRY_EXPECTED}`);
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
