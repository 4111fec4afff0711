import { describe, expect, test } from 'vitest';
import { parseYaml } from '../../../documents/yaml-document.ts';
import { GatewayError } from '../../../gateway/errors.ts';
import { Admission } from '../../../gateway/trust/admission.ts';
import type { Admitted, CallerHead } from '../../../gateway/trust/admission.ts';
import { createKey } from '../../../gateway/trust/api-key.ts';
import { KeyRing } from '../../../gateway/trust/key-ring.ts';
import { readKeys } from '../../../gateway/trust/keys-file.ts';
import { TokenVerifier } from '../../../gateway/trust/jwt.ts';
import { UNLIMITED } from '../../../gateway/limits/caller-limits.ts';
import { Limits } from '../../../gateway/limits/limits.ts';
import type { LimitsConfig } from '../../../gateway/limits/limits.ts';
import type { RouteScope } from '../../../gateway/trust/scopes.ts';
import { startIssuer } from './local-issuer.ts';

const made = createKey();

function limitsOf(config: Partial<LimitsConfig> = {}): Limits {
  return new Limits({
    cost: 'rows',
    address: UNLIMITED,
    key: UNLIMITED,
    models: new Map(),
    experiments: new Map(),
    ...config,
  });
}

function withKeys(fields = '', now?: () => number): Admission {
  const text = `keys: [{ id: "${made.id}", hash: "${made.hash}", scopes: [infer, metrics]${fields} }]`;
  const keys = new KeyRing(readKeys(parseYaml(text, 'keys.yaml')));
  return new Admission({ keys, limits: limitsOf(), ...(now !== undefined && { now }) });
}

const open = new Admission({
  keys: undefined,
  limits: limitsOf({ address: { ...UNLIMITED, rate: { limit: 2, periodMs: 1000, burst: 2 } } }),
});

function head(headers: Readonly<Record<string, string>>, address = '127.0.0.1'): CallerHead {
  return { header: (name) => headers[name], address };
}

const bearer = head({ authorization: `Bearer ${made.text}` });

/** Who is let in, where that is known at once. */
function admitted(admission: Admission, caller: CallerHead, scope: RouteScope): Admitted {
  const found = admission.admit(caller, scope, 'http');
  return found instanceof Promise ? expect.fail('only tokens are waited for') : found;
}

function refusal(admission: Admission, caller: CallerHead, scope: RouteScope): GatewayError {
  try {
    admitted(admission, caller, scope);
  } catch (error) {
    if (error instanceof GatewayError) return error;
    throw error;
  }
  return expect.fail('the call was let in');
}

describe('with keys', () => {
  test.each([
    ['Authorization: Bearer', { authorization: `Bearer ${made.text}` }],
    ['the word in small letters', { authorization: `bearer ${made.text}` }],
    ['X-API-Key', { 'x-api-key': made.text }],
    ['both, with the same key', { authorization: `Bearer ${made.text}`, 'x-api-key': made.text }],
  ])('a key is taken from %s', (_, headers) => {
    expect(admitted(withKeys(), head(headers), 'infer').principal.id).toBe(made.id);
  });

  test.each([
    ['no key', {}, 'a key is needed'],
    ['another scheme', { authorization: `Basic ${made.text}` }, 'is not "Bearer" and a key'],
    ['a stranger’s key', { 'x-api-key': createKey().text }, 'not one of this gateway'],
    ['an empty key', { 'x-api-key': '' }, 'not one of this gateway'],
    [
      'two keys that differ',
      { authorization: `Bearer ${made.text}`, 'x-api-key': createKey().text },
      'different keys',
    ],
  ])('%s is a 401', (_, headers, message) => {
    const error = refusal(withKeys(), head(headers), 'infer');
    expect(error).toMatchObject({ code: 'unauthorized', status: 401 });
    expect(error.message).toContain(message);
    expect(error.message).not.toContain(made.text.slice(-43));
  });

  test('an expired key says when it ended', () => {
    const admission = withKeys(', expires: 2027-01-31', () => Date.UTC(2027, 1, 1));
    expect(refusal(admission, bearer, 'infer').message).toBe('the key expired at 2027-01-31T00:00:00.000Z');
  });

  test('a key without the scope is a 403 that names it', () => {
    const error = refusal(withKeys(), bearer, 'admin:write');
    expect(error).toMatchObject({ code: 'forbidden', status: 403 });
    expect(error.message).toBe(`${made.id} has not the scope admin:write; it has infer, metrics`);
  });

  test('an open route asks for nothing', () => {
    expect(admitted(withKeys(), head({}), 'open').principal.id).toBe('');
  });

  test('a key above its rate is a 429 that says when to come again', () => {
    const admission = withKeys(', rate: 2/m burst 2');
    expect(admitted(admission, bearer, 'infer').standing?.remaining).toBe(1);
    admitted(admission, bearer, 'infer');
    const error = refusal(admission, bearer, 'infer');
    expect(error).toMatchObject({ code: 'rate_limited', status: 429 });
    expect(error.headers).toEqual({
      'ratelimit-limit': '2',
      'ratelimit-remaining': '0',
      'ratelimit-reset': '60',
      'retry-after': '30',
    });
    expect(error.message).toBe(`${made.id} may send 2 rows a minute, 2 of them at once; try again in 30 s`);
  });
});

describe('without keys', () => {
  test('this machine may do everything', () => {
    for (const address of ['127.0.0.1', '127.8.8.8', '::1', '::ffff:127.0.0.1']) {
      expect(admitted(open, head({}, address), 'admin:write').principal.scopes.has('admin:write')).toBe(true);
    }
  });

  test('another machine may infer, and not control', () => {
    expect(admitted(open, head({}, '10.0.0.1'), 'infer').principal.id).toBe('');
    for (const address of ['10.0.0.2', '::ffff:10.0.0.2', '128.0.0.1', '2001:db8::1', '']) {
      expect(refusal(open, head({}, address), 'admin:write').code).toBe('control_is_local');
    }
  });

  test.each(['x-forwarded-for', 'forwarded'])(
    'what a proxy on this machine passes on (%s) is not its own',
    (name) => {
      expect(refusal(open, head({ [name]: '203.0.113.9' }), 'admin:write').code).toBe('control_is_local');
    },
  );

  test('each address has a rate of its own', () => {
    const caller = head({}, '10.0.0.3');
    admitted(open, caller, 'infer');
    admitted(open, caller, 'infer');
    expect(refusal(open, caller, 'infer').status).toBe(429);
    expect(admitted(open, head({}, '10.0.0.4'), 'infer').standing?.remaining).toBe(1);
  });
});

test('beside keys, tokens of the issuer open too, and have its rate', async () => {
  await using issuer = await startIssuer();
  const rate = { limit: 1, periodMs: 60_000, burst: 1 };
  const tokens = new TokenVerifier({
    issuer: issuer.url,
    audience: 'signalbox',
    jwks: undefined,
    scopesClaim: 'scope',
    rate,
  });
  const ring = new KeyRing(
    readKeys(parseYaml(`keys: [{ id: "${made.id}", hash: "${made.hash}", scopes: [infer] }]`, 'k')),
  );
  const admission = new Admission({ keys: ring, tokens, limits: limitsOf() });
  const claims = {
    iss: issuer.url,
    aud: 'signalbox',
    sub: 'ada',
    exp: Date.now() / 1000 + 60,
    scope: 'infer',
  };
  const caller = head({ authorization: `Bearer ${await issuer.sign(claims)}` });
  expect((await admission.admit(caller, 'infer', 'http')).principal.id).toBe('jwt:ada');
  expect(admitted(admission, bearer, 'infer').principal.id).toBe(made.id);
  expect(refusal(admission, caller, 'infer').status).toBe(429);
  expect(refusal(admission, caller, 'admin:write').message).toBe(
    'jwt:ada has not the scope admin:write; it has infer',
  );
});
