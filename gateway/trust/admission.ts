import { GatewayError } from '../errors.ts';
import { idOf } from './api-key.ts';
import type { TokenVerifier } from './jwt.ts';
import type { KeyRing } from './key-ring.ts';
import { ANYBODY, STRANGER, isLoopback } from './principal.ts';
import type { Priority } from './priority.ts';
import type { Principal } from './principal.ts';
import { requireModel } from './rights.ts';
import type { Limits } from '../limits/limits.ts';
import type { LoadShedder } from '../overload/load-shedder.ts';
import type { QueuesAhead } from '../overload/queues-ahead.ts';
import type { Standing } from '../limits/bucket.ts';
import type { RouteScope, Scope } from './scopes.ts';

/** What admission looks at: the head of a call, before a byte of its body is parsed. */
export interface CallerHead {
  /** The value of a request header, by its lower-case name. */
  header(name: string): string | undefined;
  /** The caller's address. */
  readonly address: string;
  /** The model that it names; undefined where it names none. */
  readonly model?: string | undefined;
  /** The version that it names; undefined where it names none. */
  readonly version?: string | undefined;
}

/** Why a call was not let in, as it is counted. */
export type Refusal = 'denied' | 'limited' | 'shed';

export type Protocol = 'http' | 'grpc';

/** What a call takes from its caller's limits: one, at once; or its rows, which the pipeline takes when it knows them. */
export type Spends = 'one' | 'rows';

/** Somebody who was let in. */
export interface Admitted {
  readonly principal: Principal;
  /** How much of their limits is left; undefined: they have none, or it will be known when the rows are. */
  readonly standing: Standing | undefined;
  /** To be called once when the call is answered; undefined where nobody counts. */
  readonly leave: (() => void) | undefined;
}

export interface AdmissionOptions {
  /** Undefined: there are no keys. Without keys and tokens the gateway is open. */
  readonly keys: KeyRing | undefined;
  /** Undefined: no tokens are taken. */
  readonly tokens?: TokenVerifier | undefined;
  readonly limits: Limits;
  /** Left out: nobody is turned away because there is too much to do. */
  readonly shedder?: LoadShedder;
  /** What waits before a call for a model; left out: that is looked at when the call is routed. */
  readonly queues?: QueuesAhead;
  /** Told of every call that is not let in. */
  readonly onRefused?: (outcome: Refusal, protocol: Protocol) => void;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
}

/** The first step of every call: whose it is, whether that is enough for what it asks, and whether it comes too often. */
export class Admission {
  readonly #keys: KeyRing | undefined;
  readonly #tokens: TokenVerifier | undefined;
  readonly #now: () => number;
  readonly #onRefused: NonNullable<AdmissionOptions['onRefused']>;
  readonly #limits: Limits;
  readonly #shedder: LoadShedder | undefined;
  readonly #queues: QueuesAhead | undefined;

  constructor({
    keys,
    tokens,
    limits,
    shedder,
    queues,
    onRefused = () => undefined,
    now = Date.now,
  }: AdmissionOptions) {
    this.#keys = keys;
    this.#tokens = tokens;
    this.#now = now;
    this.#onRefused = onRefused;
    this.#limits = limits;
    this.#shedder = shedder;
    this.#queues = queues;
  }

  /** Whether everybody who can reach the gateway may call it. */
  get isOpen(): boolean {
    return this.#keys === undefined && this.#tokens === undefined;
  }

  /**
   * @param spends what the call takes from its caller's limits
   * @returns at once, unless a token has to be checked, or limits are shared
   * @throws GatewayError `unauthorized`, `forbidden`, `rate_limited`, `quota_exceeded`, `concurrency_limited`, `overloaded`,
   *   `issuer_unavailable`
   */
  admit(
    head: CallerHead,
    scope: RouteScope,
    protocol: Protocol,
    spends: Spends = 'one',
  ): Admitted | Promise<Admitted> {
    if (scope === 'open') return OPEN;
    try {
      const found = this.#identify(head);
      const admitted =
        found instanceof Promise
          ? found.then((principal) => this.#grant(principal, head, scope, spends))
          : this.#grant(found, head, scope, spends);
      if (!(admitted instanceof Promise)) return admitted;
      return admitted.catch((error: unknown) => {
        throw this.#refuse(error, protocol);
      });
    } catch (error) {
      throw this.#refuse(error, protocol);
    }
  }

  /**
   * Asks for a further scope of somebody who was let in.
   *
   * @throws GatewayError `forbidden`, `control_is_local`
   */
  require(principal: Principal, scope: Scope): void {
    if (!principal.scopes.has(scope)) throw lacksScope(principal, scope, this.isOpen);
  }

  /**
   * Asks for a model of somebody who was let in before it was known which.
   *
   * @param model undefined where none is named
   * @throws GatewayError `forbidden`
   */
  requireModel(principal: Principal, model: string | undefined, protocol: Protocol): void {
    try {
      if (model !== undefined) requireModel(principal, model);
    } catch (error) {
      throw this.#refuse(error, protocol);
    }
  }

  /** Whether somebody who was let in would be again: for an answer that goes on for long. Spends nothing of their rate. */
  async stillAdmits(head: CallerHead, scope: Scope): Promise<boolean> {
    try {
      return (await this.#identify(head)).scopes.has(scope);
    } catch (error) {
      if (error instanceof GatewayError) return false;
      throw error;
    }
  }

  #refuse(error: unknown, protocol: Protocol): unknown {
    const status = error instanceof GatewayError ? error.status : 500;
    const isShed = error instanceof GatewayError && error.code === 'overloaded';
    this.#onRefused(status === 429 ? 'limited' : isShed ? 'shed' : 'denied', protocol);
    return error;
  }

  #grant(principal: Principal, head: CallerHead, scope: Scope, spends: Spends): Admitted | Promise<Admitted> {
    this.require(principal, scope);
    if (head.model !== undefined) requireModel(principal, head.model);
    const leave = this.#limits.enter(principal);
    try {
      if (spends === 'rows') {
        this.#shedder?.checkProcess(principal.priority);
        this.#limits.look(principal);
        if (this.#shedder !== undefined) this.#checkQueue(this.#shedder, principal.priority, head);
        return { principal, standing: undefined, leave };
      }
      const taken = this.#limits.takeOne(principal);
      if (!(taken instanceof Promise)) return { principal, standing: taken, leave };
      return taken.then(
        (standing) => ({ principal, standing, leave }),
        (error: unknown) => {
          leave?.();
          throw error;
        },
      );
    } catch (error) {
      leave?.();
      throw error;
    }
  }

  #checkQueue(shedder: LoadShedder, priority: Priority, head: CallerHead): void {
    const { model, version } = head;
    if (model === undefined || this.#queues === undefined) return;
    const target = { model, version, isOverride: head.header('x-experiment') !== undefined };
    const ahead = this.#queues.shortest(target, shedder.bearableMs(priority));
    if (ahead !== undefined) shedder.checkQueue(priority, ahead);
  }

  #identify(head: CallerHead): Principal | Promise<Principal> {
    if (this.isOpen) {
      const { id, scopes, models, limits, priority } = isLocal(head) ? ANYBODY : STRANGER;
      return { id, scopes, models, limits, priority, address: head.address };
    }
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
}

/** From this machine, and not passed on for somebody else by a proxy on it. */
function isLocal(head: CallerHead): boolean {
  return (
    isLoopback(head.address) &&
    head.header('x-forwarded-for') === undefined &&
    head.header('forwarded') === undefined
  );
}

const OPEN: Admitted = Object.freeze({ principal: ANYBODY, standing: undefined, leave: undefined });

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
