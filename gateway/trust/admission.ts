import { GatewayError } from '../errors.ts';
import { idOf } from './api-key.ts';
import type { TokenVerifier } from './jwt.ts';
import type { KeyRing } from './key-ring.ts';
import { ANYBODY, STRANGER, isLoopback } from './principal.ts';
import type { Principal } from './principal.ts';
import { requireModel } from './rights.ts';
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
  /** The model that it names; undefined where it names none. */
  readonly model?: string | undefined;
}

export type Protocol = 'http' | 'grpc';

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
  /** Told of every call that is not let in. */
  readonly onRefused?: (outcome: 'denied' | 'limited', protocol: Protocol) => void;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
}

/** The first step of every call: whose it is, whether that is enough for what it asks, and whether it comes too often. */
export class Admission {
  readonly #keys: KeyRing | undefined;
  readonly #tokens: TokenVerifier | undefined;
  readonly #now: () => number;
  readonly #onRefused: NonNullable<AdmissionOptions['onRefused']>;
  readonly #addresses: RateLimiter | undefined;
  /** By key; replaced when the key's rate is another one. */
  readonly #limiters = new Map<string, RateLimiter>();

  constructor({ keys, tokens, addressRate, onRefused = () => undefined, now = Date.now }: AdmissionOptions) {
    this.#keys = keys;
    this.#tokens = tokens;
    this.#now = now;
    this.#onRefused = onRefused;
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
  admit(head: CallerHead, scope: RouteScope, protocol: Protocol): Admitted | Promise<Admitted> {
    if (scope === 'open') return OPEN;
    try {
      const principal = this.#identify(head);
      if (!(principal instanceof Promise)) return this.#grant(principal, head, scope);
      return principal
        .then((found) => this.#grant(found, head, scope))
        .catch((error: unknown) => {
          throw this.#refuse(error, protocol);
        });
    } catch (error) {
      throw this.#refuse(error, protocol);
    }
  }

  #refuse(error: unknown, protocol: Protocol): unknown {
    const isLimit = error instanceof GatewayError && error.code === 'rate_limited';
    this.#onRefused(isLimit ? 'limited' : 'denied', protocol);
    return error;
  }

  #grant(principal: Principal, head: CallerHead, scope: Scope): Admitted {
    if (!principal.scopes.has(scope)) throw lacksScope(principal, scope, this.isOpen);
    if (head.model !== undefined) requireModel(principal, head.model);
    return { principal, rate: this.#spend(principal, head.address) };
  }

  #identify(head: CallerHead): Principal | Promise<Principal> {
    if (this.isOpen) return isLocal(head) ? ANYBODY : STRANGER;
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

/** From this machine, and not passed on for somebody else by a proxy on it. */
function isLocal(head: CallerHead): boolean {
  return (
    isLoopback(head.address) &&
    head.header('x-forwarded-for') === undefined &&
    head.header('forwarded') === undefined
  );
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
  if (isOpen) {
    return new GatewayError(
      'control_is_local',
      "without keys this is answered on the gateway's own machine only; configure auth.keys to use it from elsewhere",
    );
  }
  const has = [...principal.scopes].join(', ') || 'none';
  return new GatewayError('forbidden', `${principal.id} has not the scope ${scope}; it has ${has}`);
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
