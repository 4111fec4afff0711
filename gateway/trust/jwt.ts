import { hash } from 'node:crypto';
import { createRemoteJWKSet, customFetch, errors, jwtVerify } from 'jose';
import type { JWTPayload, JWTVerifyGetKey } from 'jose';
import { GatewayError } from '../errors.ts';
import { fetchWithCredentials } from '../fetch-with-credentials.ts';
import type { Principal } from './principal.ts';
import type { Rate } from '../limits/rate.ts';
import { DEFAULT_PRIORITY } from './priority.ts';
import { SCOPES } from './scopes.ts';

/** Whose tokens are taken: an OpenID Connect issuer, or anybody who publishes a JSON Web Key Set. */
export interface TokenIssuer {
  /** The `iss` of its tokens, a URL. */
  readonly issuer: string;
  /** The `aud` that a token must have. */
  readonly audience: string;
  /** Where its keys are; undefined: where its `/.well-known/openid-configuration` says. */
  readonly jwks: string | undefined;
  /** The claim that has the scopes, as a list or as words with spaces between. */
  readonly scopesClaim: string;
  /** For each subject; undefined: as many requests as it likes. */
  readonly rate: Rate | undefined;
}

export interface TokenOptions {
  readonly fetch?: typeof fetchWithCredentials;
  /** Between two looks at the issuer's keys for one that is not known, in milliseconds. */
  readonly keysCooldownMs?: number;
}

/** Signatures that only the issuer can make: none with a shared secret. */
const ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA'];

/** Seconds that the issuer's clock may be off. */
const CLOCK_TOLERANCE_S = 5;

/** The issuer must answer in this time. */
const ISSUER_TIMEOUT_MS = 5000;

/** Tokens whose signature need not be checked again. */
const MAX_REMEMBERED = 10_000;

interface Remembered {
  readonly principal: Principal;
  readonly expiresAtMs: number;
}

/** Checks JSON Web Tokens (RFC 7519) against their issuer's keys, which are fetched when needed and followed as they rotate. */
export class TokenVerifier {
  readonly #issuer: TokenIssuer;
  readonly #fetch: typeof fetchWithCredentials;
  readonly #keysCooldownMs: number;
  #keys: Promise<JWTVerifyGetKey> | undefined;
  /** By the token's SHA-256: a token is not kept. */
  readonly #remembered = new Map<string, Remembered>();

  constructor(issuer: TokenIssuer, options: TokenOptions = {}) {
    this.#issuer = issuer;
    this.#fetch = options.fetch ?? fetchWithCredentials;
    this.#keysCooldownMs = options.keysCooldownMs ?? 30_000;
  }

  /**
   * @param nowMs milliseconds since the epoch
   * @returns whose token it is; at once where it was checked before
   * @throws GatewayError `unauthorized`, or `issuer_unavailable` where its keys can't be had
   */
  check(token: string, nowMs: number): Principal | Promise<Principal> {
    const digest = hash('sha256', token, 'base64');
    const known = this.#remembered.get(digest);
    if (known !== undefined) {
      if (nowMs < known.expiresAtMs) return known.principal;
      this.#remembered.delete(digest);
    }
    return this.#verify(token, digest, nowMs);
  }

  async #verify(token: string, digest: string, nowMs: number): Promise<Principal> {
    const { issuer, audience } = this.#issuer;
    const keys = await this.#issuerKeys();
    let payload: JWTPayload;
    try {
      ({ payload } = await jwtVerify(token, keys, {
        issuer,
        audience,
        algorithms: ALGORITHMS,
        clockTolerance: CLOCK_TOLERANCE_S,
        currentDate: new Date(nowMs),
        requiredClaims: ['exp', 'sub'],
      }));
    } catch (cause) {
      throw refusalOf(cause);
    }
    const principal = this.#principalOf(payload);
    if (this.#remembered.size >= MAX_REMEMBERED) this.#forgetSome();
    this.#remembered.set(digest, { principal, expiresAtMs: (payload.exp ?? 0) * 1000 });
    return principal;
  }

  #principalOf(payload: JWTPayload): Principal {
    const { scopesClaim } = this.#issuer;
    const claim = Object.hasOwn(payload, scopesClaim) ? payload[scopesClaim] : undefined;
    const words = typeof claim === 'string' ? claim.split(' ') : Array.isArray(claim) ? claim : [];
    return Object.freeze({
      id: `jwt:${payload.sub ?? ''}`,
      scopes: new Set(SCOPES.filter((scope) => words.includes(scope))),
      models: undefined,
      limits: { rate: this.#issuer.rate, concurrency: undefined, daily: undefined },
      priority: DEFAULT_PRIORITY,
    });
  }

  /** Those that were checked first: they are the likeliest to have expired. */
  #forgetSome(): void {
    let left = MAX_REMEMBERED / 10;
    for (const digest of this.#remembered.keys()) {
      if (left <= 0) break;
      this.#remembered.delete(digest);
      left -= 1;
    }
  }

  #issuerKeys(): Promise<JWTVerifyGetKey> {
    this.#keys ??= this.#discover().catch((error: unknown) => {
      // The next call tries again.
      this.#keys = undefined;
      throw unavailable(error);
    });
    return this.#keys;
  }

  async #discover(): Promise<JWTVerifyGetKey> {
    const url = this.#issuer.jwks ?? (await this.#readConfiguration());
    return createRemoteJWKSet(new URL(url), {
      timeoutDuration: ISSUER_TIMEOUT_MS,
      cooldownDuration: this.#keysCooldownMs,
      [customFetch]: this.#fetch,
    });
  }

  async #readConfiguration(): Promise<string> {
    const { issuer } = this.#issuer;
    const url = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
    const answer = await this.#fetch(url, { signal: AbortSignal.timeout(ISSUER_TIMEOUT_MS) });
    if (!answer.ok) throw new Error(`${url} answered ${answer.status}`);
    const found: unknown = await answer.json();
    const { issuer: named, jwks_uri: jwks } = (found ?? {}) as Record<string, unknown>;
    if (named !== issuer) throw new Error(`${url} is of another issuer, ${String(named)}`);
    if (typeof jwks !== 'string') throw new Error(`${url} has no jwks_uri`);
    return jwks;
  }
}

function refusalOf(cause: unknown): GatewayError {
  if (cause instanceof errors.JWTExpired) return refused('the token has expired', cause);
  if (cause instanceof errors.JWTClaimValidationFailed) {
    return refused(`the token's claim "${cause.claim}" is missing or not what is expected here`, cause);
  }
  const isTokens =
    cause instanceof errors.JWSInvalid ||
    cause instanceof errors.JWTInvalid ||
    cause instanceof errors.JOSEAlgNotAllowed ||
    cause instanceof errors.JOSENotSupported ||
    cause instanceof errors.JWSSignatureVerificationFailed ||
    cause instanceof errors.JWKSNoMatchingKey ||
    cause instanceof errors.JWKSMultipleMatchingKeys;
  return isTokens ? refused('the token is not one that its issuer signed', cause) : unavailable(cause);
}

function refused(message: string, cause: unknown): GatewayError {
  return new GatewayError('unauthorized', message, { cause });
}

/** Callers have no use for the issuer's address, which may have a password in it. */
function unavailable(cause: unknown): GatewayError {
  return new GatewayError(
    'issuer_unavailable',
    "the keys of the tokens' issuer can't be had; try again later",
    { cause },
  );
}
