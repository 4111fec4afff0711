import { GatewayError } from '../errors.ts';
import { idOf } from './api-key.ts';
import type { TokenVerifier } from './jwt.ts';
import type { KeyRing } from './key-ring.ts';
import { ANYBODY, STRANGER, isLoopback } from './principal.ts';
import type { Principal } from './principal.ts';
import { RateLimiter } from './rate-limiter.ts';
import type { Rate } from './rate.ts';
import type { RateVerdict } from './gcra.ts';
import type { RouteScope, Scope } from './scopes.ts';

/** What admission looks at: the head of a call, before a byte of its body is parsed. */
export interface CallerHead {
  /** The value of a request header, by its lower-case name. */
  header(name: string): string | undefined;
  /** The caller's address. */
  readonly address: string;
}

/** Somebody who was let in. */
export interface Admitted {
  readonly principal: Principal;
  /** How much of their rate is left; undefined: they have none. */
  readonly rate: { readonly limit: Rate; readonly verdict: RateVerdict } | undefined;
}

export interface AdmissionOptions {
  /** Undefined: there are no keys. Without keys and tokens the gateway is open. */
  readonly keys: KeyRing | undefined;
  /** Undefined: no tokens are taken. */
  readonly tokens?: TokenVerifier | undefined;
  /** For each address that calls without a key. */
  readonly addressRate: Rate | undefined;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
}

/** The first step of every call: whose it is, whether that is enough for what it asks, and whether it comes too often. */
export class Admission {
  readonly #keys: KeyRing | undefined;
  readonly #tokens: TokenVerifier | undefined;
  readonly #now: () => number;
  readonly #addresses: RateLimiter | undefined;
  /** By key; replaced when the key's rate is another one. */
  readonly #limiters = new Map<string, RateLimiter>();

  constructor({ keys, tokens, addressRate, now = Date.now }: AdmissionOptions) {
    this.#keys = keys;
    this.#tokens = tokens;
    this.#now = now;
    this.#addresses = addressRate === undefined ? undefined : new RateLimiter(addressRate);
  }

  /** Whether everybody who can reach the gateway may call it. */
  get isOpen(): boolean {
    return this.#keys === undefined && this.#tokens === undefined;
  }

  /**
   * @returns at once, unless a token has to be checked
   * @throws GatewayError `unauthorized`, `forbidden`, `rate_limited`, `issuer_unavailable`
   */
  admit(head: CallerHead, scope: RouteScope): Admitted | Promise<Admitted> {
    if (scope === 'open') return OPEN;
    const principal = this.#identify(head);
    return principal instanceof Promise
      ? principal.then((found) => this.#grant(found, head, scope))
      : this.#grant(principal, head, scope);
  }

  #grant(principal: Principal, head: CallerHead, scope: Scope): Admitted {
    if (!principal.scopes.has(scope)) throw lacksScope(principal, scope, this.isOpen);
    return { principal, rate: this.#spend(principal, head.address) };
  }

  #identify(head: CallerHead): Principal | Promise<Principal> {
    if (this.isOpen) return isLoopback(head.address) ? ANYBODY : STRANGER;
    const text = credentialIn(head);
    if (this.#tokens !== undefined && (this.#keys === undefined || idOf(text) === undefined)) {
      return this.#tokens.check(text, this.#now());
    }
    if (this.#keys === undefined) throw new GatewayError('unauthorized', NOT_OURS);
    const checked = this.#keys.check(text, this.#now());
    switch (checked.kind) {
      case 'known':
        return checked.key;
      case 'unknown':
        throw new GatewayError('unauthorized', NOT_OURS);
      case 'expired':
        throw new GatewayError(
          'unauthorized',
          `the key expired at ${new Date(checked.key.expiresAtMs).toISOString()}`,
        );
    }
  }

  #spend(principal: Principal, address: string): Admitted['rate'] {
    const limiter = principal.id === '' ? this.#addresses : this.#limiterOf(principal);
    if (limiter === undefined) return undefined;
    const verdict = limiter.take(principal.id === '' ? address : '');
    if (!verdict.allowed) {
      throw new GatewayError('rate_limited', `${describe(limiter.rate)} are allowed; try again later`, {
        headers: { ...rateHeaders(limiter.rate, verdict), 'retry-after': seconds(verdict.retryAfterMs) },
      });
    }
    return { limit: limiter.rate, verdict };
  }

  #limiterOf({ id, rate }: Principal): RateLimiter | undefined {
    if (rate === undefined) return undefined;
    const known = this.#limiters.get(id);
    if (known?.rate === rate) return known;
    const limiter = new RateLimiter(rate);
    this.#limiters.set(id, limiter);
    return limiter;
  }
}

const OPEN: Admitted = Object.freeze({ principal: ANYBODY, rate: undefined });

const NOT_OURS = "the key is not one of this gateway's";

/** @throws GatewayError where there is no key or token, or two that differ */
function credentialIn(head: CallerHead): string {
  const authorization = head.header('authorization');
  const apiKey = head.header('x-api-key');
  const bearer = authorization === undefined ? undefined : /^Bearer +(\S+)$/i.exec(authorization)?.[1];
  if (authorization !== undefined && bearer === undefined) {
    throw new GatewayError('unauthorized', 'the header Authorization is not "Bearer" and a key');
  }
  if (bearer !== undefined && apiKey !== undefined && bearer !== apiKey) {
    throw new GatewayError(
      'unauthorized',
      'Authorization and X-API-Key have different keys; send one of them',
    );
  }
  const text = bearer ?? apiKey;
  if (text === undefined) {
    throw new GatewayError(
      'unauthorized',
      'a key is needed: send it as "Authorization: Bearer sb_…" or "X-API-Key: sb_…"',
    );
  }
  return text;
}

function lacksScope(principal: Principal, scope: Scope, isOpen: boolean): GatewayError {
  return new GatewayError(
    'forbidden',
    !isOpen
      ? `${principal.id} has not the scope ${scope}; it has ${[...principal.scopes].join(', ') || 'none'}`
      : "without keys this is answered on the gateway's own machine only; configure auth.keys to use it from elsewhere",
  );
}

/** `RateLimit-Limit`, `RateLimit-Remaining` and `RateLimit-Reset`, whose unit is seconds. */
export function rateHeaders(limit: Rate, verdict: RateVerdict): Readonly<Record<string, string>> {
  return {
    'ratelimit-limit': String(limit.burst),
    'ratelimit-remaining': String(verdict.remaining),
    'ratelimit-reset': seconds(verdict.resetMs),
  };
}

function seconds(ms: number): string {
  return String(Math.max(1, Math.ceil(ms / 1000)));
}

function describe({ limit, periodMs, burst }: Rate): string {
  const period = { 1000: 'a second', 60_000: 'a minute', 3_600_000: 'an hour', 86_400_000: 'a day' }[
    periodMs
  ];
  return `${limit} requests ${period ?? `in ${periodMs} ms`}, ${burst} of them at once,`;
}
