import { SignJWT, generateKeyPair } from 'jose';
import { describe, expect, test } from 'vitest';
import { TokenVerifier } from '../../../gateway/trust/jwt.ts';
import type { TokenIssuer } from '../../../gateway/trust/jwt.ts';
import { startIssuer } from './local-issuer.ts';
import type { LocalIssuer } from './local-issuer.ts';

const NOW_MS = Date.UTC(2026, 10, 22);
const NOW_S = NOW_MS / 1000;

function verifierOf(issuer: LocalIssuer, options: Partial<TokenIssuer> = {}): TokenVerifier {
  return new TokenVerifier(
    {
      issuer: issuer.url,
      audience: 'signalbox',
      jwks: undefined,
      scopesClaim: 'scope',
      rate: undefined,
      ...options,
    },
    { keysCooldownMs: 0 },
  );
}

function claimsOf(issuer: LocalIssuer, more: Readonly<Record<string, unknown>> = {}) {
  return {
    iss: issuer.url,
    aud: 'signalbox',
    sub: 'ada',
    exp: NOW_S + 60,
    scope: 'infer metrics email',
    ...more,
  };
}

test('a token of the issuer is taken, with those of its scopes that there are', async () => {
  await using issuer = await startIssuer();
  const principal = await verifierOf(issuer).check(await issuer.sign(claimsOf(issuer)), NOW_MS);
  expect(principal).toMatchObject({ id: 'jwt:ada', scopes: new Set(['infer', 'metrics']) });
});

test('the scopes may be a list, in a claim of another name', async () => {
  await using issuer = await startIssuer();
  const token = await issuer.sign(claimsOf(issuer, { permissions: ['override', 'infer'] }));
  const principal = await verifierOf(issuer, { scopesClaim: 'permissions' }).check(token, NOW_MS);
  expect(principal.scopes).toEqual(new Set(['infer', 'override']));
});

test('the keys may be named, without a configuration to look them up in', async () => {
  await using issuer = await startIssuer();
  const verifier = verifierOf(issuer, { jwks: `${issuer.url}/keys` });
  expect((await verifier.check(await issuer.sign(claimsOf(issuer)), NOW_MS)).id).toBe('jwt:ada');
});

describe('refused', () => {
  test.each([
    ['an expired token', { exp: NOW_S - 10 }, 'the token has expired'],
    ['a token without an end', { exp: undefined }, 'claim "exp"'],
    ['a token that is not valid yet', { nbf: NOW_S + 60 }, 'claim "nbf"'],
    ['a token for somebody else', { aud: 'another' }, 'claim "aud"'],
    ['a token of another issuer', { iss: 'https://evil.example' }, 'claim "iss"'],
    ['a token of nobody', { sub: undefined }, 'claim "sub"'],
  ])('%s', async (_, claims, message) => {
    await using issuer = await startIssuer();
    const token = await issuer.sign(claimsOf(issuer, claims));
    const error: unknown = await Promise.resolve(verifierOf(issuer).check(token, NOW_MS)).catch(
      (e: unknown) => e,
    );
    expect(error).toMatchObject({ code: 'unauthorized', status: 401 });
    expect(String(error)).toContain(message);
  });

  test('what is no token, is unsigned, or was signed by somebody else or with a shared secret', async () => {
    await using issuer = await startIssuer();
    const verifier = verifierOf(issuer);
    const good = await issuer.sign(claimsOf(issuer));
    const [header = '', payload = '', signature = ''] = good.split('.');
    const none = Buffer.from(JSON.stringify({ alg: 'none' })).toString('base64url');
    const stranger = await generateKeyPair('ES256');
    const forged = await new SignJWT(claimsOf(issuer))
      .setProtectedHeader({ alg: 'ES256', kid: 'key-1' })
      .sign(stranger.privateKey);
    const shared = await new SignJWT(claimsOf(issuer))
      .setProtectedHeader({ alg: 'HS256', kid: 'key-1' })
      .sign(new TextEncoder().encode('the issuer’s public key, taken for a secret'));
    const changed = Buffer.from(JSON.stringify(claimsOf(issuer, { scope: 'admin:write' }))).toString(
      'base64url',
    );
    for (const token of [
      'x.y.z',
      '',
      `${none}.${payload}.`,
      forged,
      shared,
      `${header}.${changed}.${signature}`,
    ]) {
      await expect(Promise.resolve(verifier.check(token, NOW_MS))).rejects.toMatchObject({
        code: 'unauthorized',
      });
    }
  });
});

test('a token that was checked is not checked again, until it ends', async () => {
  await using issuer = await startIssuer();
  const verifier = verifierOf(issuer);
  const token = await issuer.sign(claimsOf(issuer));
  const principal = await verifier.check(token, NOW_MS);
  expect(verifier.check(token, NOW_MS)).toBe(principal);
  expect(issuer.keyFetches).toBe(1);
  await expect(verifier.check(token, NOW_MS + 120_000)).rejects.toThrow('the token has expired');
});

test('an issuer that rotates its keys is followed', async () => {
  await using issuer = await startIssuer();
  const verifier = verifierOf(issuer);
  await verifier.check(await issuer.sign(claimsOf(issuer)), NOW_MS);
  await issuer.rotate();
  const fresh = await issuer.sign(claimsOf(issuer, { sub: 'bob' }));
  expect((await verifier.check(fresh, NOW_MS)).id).toBe('jwt:bob');
});

test('an issuer that does not answer is a 503, and is asked again at the next call', async () => {
  await using issuer = await startIssuer();
  const verifier = verifierOf(issuer);
  const token = await issuer.sign(claimsOf(issuer));
  issuer.isUp = false;
  await expect(verifier.check(token, NOW_MS)).rejects.toMatchObject({
    code: 'issuer_unavailable',
    status: 503,
  });
  issuer.isUp = true;
  expect((await verifier.check(token, NOW_MS)).id).toBe('jwt:ada');
});
