import type { CountedMetric } from '../counted-metric.ts';
import type { MirrorBatch } from '../mirror/mirror-fields.ts';
import type { MirrorTally } from '../mirror/mirror-tally.ts';
import type { ExposureBatch, Outcome, OutcomeStatus, Scope } from './ledger.ts';
import { RedisClock } from './redis-clock.ts';
import { connectRedis } from './redis-connection.ts';
import { evictionPolicy } from './redis-eviction.ts';
import { RedisExperimentData } from './redis-experiment-data.ts';
import type { RedisConnection } from './redis-scripts.ts';
import { FORMAT_KEY, STATE_FORMAT, newerFormat } from './redis-format.ts';
import { LeaseLost, StoreUnavailable } from './state-store.ts';
import type { AuditEntry, Landed, Lease, StateStore, Versioned, WriteOptions } from './state-store.ts';
import type { Tallies } from './tallies.ts';

/** Where writes of documents are told; the message is the document's key. */
const DOCUMENTS_CHANNEL = 'signalbox:documents';

/** The braces put documents, leases and the audit log into one slot of a cluster: a write looks at all three in one step. */
const AUDIT_KEY = 'signalbox:{state}:audit';

/** What is in Redis was written by a newer release: this one would misread it. */
export class NewerState extends StoreUnavailable {}
const documentKey = (key: string): string => `signalbox:{state}:document:${key}`;
const leaseKey = (name: string): string => `signalbox:{state}:lease:${name}`;
const claimKey = (key: string): string => `signalbox:claim:${key}`;

/**
 * Keeps the state in Redis, for any number of replicas.
 *
 * What it answered was done by the server, so it survives the death of a gateway at any moment; whether it survives the
 * server's is the server's configuration (`appendonly yes`, and `maxmemory-policy noeviction`).
 */
export class RedisStore implements StateStore {
  readonly kind = 'redis';
  readonly #url: string;
  readonly #redis: RedisConnection;
  readonly #data: RedisExperimentData;
  readonly #clock: RedisClock;
  readonly #watchers = new Map<string, Set<() => void>>();
  #subscriber: RedisConnection | undefined;
  /** Settles once it is known whether this release can read what is there; undefined: not asked over this connection. */
  #readable: Promise<void> | undefined;

  /**
   * Connects in the background: {@link ready} tells when, calls before it are refused.
   *
   * @param url as `connectRedis` takes it
   * @param onEviction told whenever it has connected: the policy by which the server may take the state away, undefined where it may not
   * @throws TypeError where the address is none
   */
  constructor(url: string, onEviction?: (policy: string | undefined) => void) {
    this.#url = url;
    this.#redis = connectRedis(url);
    this.#clock = new RedisClock(this.#redis);
    this.#data = new RedisExperimentData(this.#redis, this.#clock);
    // A server may come back with another state.
    this.#redis.on('ready', () => {
      this.#readable = undefined;
      if (onEviction !== undefined) void evictionPolicy(this.#redis).then(onEviction);
    });
  }

  /** @throws NewerState where a newer release has written what is there; StoreUnavailable where Redis is away */
  expectReadable(): Promise<void> {
    return this.#ask(() => Promise.resolve());
  }

  nowMs(): number {
    return this.#clock.nowMs();
  }

  /** Waits for the server; returns whether it is there. */
  ready(timeoutMs: number): Promise<boolean> {
    if (this.#redis.status === 'ready') return Promise.resolve(true);
    return new Promise((resolve) => {
      const settle = (isReady: boolean): void => {
        clearTimeout(timer);
        this.#redis.off('ready', onReady);
        resolve(isReady);
      };
      const onReady = (): void => {
        settle(true);
      };
      const timer = setTimeout(settle, timeoutMs, false);
      this.#redis.once('ready', onReady);
    });
  }

  readDocument(key: string): Promise<Versioned | undefined> {
    return this.#ask(async () => {
      const [version, json] = await this.#redis.hmget(documentKey(key), 'version', 'json');
      if (typeof version !== 'string' || typeof json !== 'string') return undefined;
      return { version: Number(version), value: JSON.parse(json) as unknown };
    });
  }

  writeDocument(
    key: string,
    value: unknown,
    expectedVersion: number,
    { fence, audit = [] }: WriteOptions = {},
  ): Promise<number | undefined> {
    return this.#ask(async () => {
      const version = await this.#redis.signalboxWriteDocument(
        documentKey(key),
        leaseKey(fence?.lease ?? ''),
        AUDIT_KEY,
        expectedVersion,
        JSON.stringify(value),
        DOCUMENTS_CHANNEL,
        key,
        fence?.holder ?? '',
        fence?.token ?? 0,
        ...audit.map((entry) => JSON.stringify(entry)),
      );
      if (version === -1) throw new LeaseLost(fence?.lease ?? '');
      return version === 0 ? undefined : version;
    });
  }

  watchDocument(key: string, onChange: () => void): () => void {
    const watchers = this.#watchers.get(key) ?? new Set();
    this.#watchers.set(key, watchers.add(onChange));
    this.#subscriber ??= this.#subscribe();
    return () => watchers.delete(onChange);
  }

  claim(key: string, ttlMs: number): Promise<boolean> {
    return this.#ask(async () => (await this.#redis.set(claimKey(key), '1', 'PX', ttlMs, 'NX')) === 'OK');
  }

  appendAudit(entry: unknown): Promise<number> {
    return this.#ask(() => this.#redis.rpush(AUDIT_KEY, JSON.stringify(entry)));
  }

  readAudit(after: number, limit: number): Promise<readonly AuditEntry[]> {
    return this.#ask(async () => {
      const lines = limit < 1 ? [] : await this.#redis.lrange(AUDIT_KEY, after, after + limit - 1);
      return lines.map((json, index) => ({
        sequence: after + index + 1,
        entry: JSON.parse(json) as unknown,
      }));
    });
  }

  auditLength(): Promise<number> {
    return this.#ask(() => this.#redis.llen(AUDIT_KEY));
  }

  acquireLease(name: string, holder: string, ttlMs: number): Promise<Lease | undefined> {
    return this.#ask(async () => {
      const token = await this.#redis.signalboxAcquireLease(leaseKey(name), holder, ttlMs);
      return token === 0 ? undefined : { token };
    });
  }

  leaseHolder(name: string): Promise<string | undefined> {
    return this.#ask(async () => (await this.#redis.signalboxLeaseHolder(leaseKey(name))) ?? undefined);
  }

  releaseLease(name: string, holder: string): Promise<void> {
    return this.#ask(async () => {
      await this.#redis.signalboxReleaseLease(leaseKey(name), holder);
    });
  }

  recordExposures(batch: ExposureBatch): Promise<void> {
    return this.#ask(() => this.#data.recordExposures(batch));
  }

  recordOutcomes(outcomes: readonly Outcome[]): Promise<readonly OutcomeStatus[]> {
    return this.#ask(() => this.#data.recordOutcomes(outcomes));
  }

  tallies(
    experiment: string,
    phase: number,
    metrics: readonly CountedMetric[],
    nowMs: number,
  ): Promise<Tallies> {
    return this.#ask(() => this.#data.tallies(experiment, phase, metrics, nowMs));
  }

  recordMirrors(batch: MirrorBatch): Promise<void> {
    return this.#ask(() => this.#data.recordMirrors(batch));
  }

  mirrors(experiment: string, phase: number): Promise<readonly MirrorTally[]> {
    return this.#ask(() => this.#data.mirrors(experiment, phase));
  }

  land(scope: Scope, unitHash: number, variant: string, keepers: readonly string[]): Promise<Landed> {
    return this.#ask(() => this.#data.land(scope, unitHash, variant, keepers));
  }

  landing(scope: Scope, unitHash: number): Promise<string | undefined> {
    return this.#ask(() => this.#data.landing(scope, unitHash));
  }

  close(): Promise<void> {
    this.#clock.stop();
    this.#subscriber?.disconnect();
    this.#redis.disconnect();
    return Promise.resolve();
  }

  #subscribe(): RedisConnection {
    // A connection that listens can do nothing else.
    const subscriber = connectRedis(this.#url);
    subscriber.on('message', (_channel: string, key: string) => {
      for (const onChange of this.#watchers.get(key) ?? []) onChange();
    });
    // What was written while the connection was away was told to nobody.
    subscriber.on('ready', () => {
      void subscriber.subscribe(DOCUMENTS_CHANNEL).then(
        () => {
          for (const watchers of this.#watchers.values()) for (const onChange of watchers) onChange();
        },
        () => undefined,
      );
    });
    return subscriber;
  }

  async #ask<Value>(work: () => Promise<Value>): Promise<Value> {
    try {
      await (this.#readable ??= this.#checkFormat());
      return await work();
    } catch (cause) {
      if (cause instanceof StoreUnavailable || cause instanceof LeaseLost) throw cause;
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new StoreUnavailable(`Redis: ${reason}`, { cause });
    }
  }

  async #checkFormat(): Promise<void> {
    try {
      await this.#redis.setnx(FORMAT_KEY, STATE_FORMAT);
      const found = Number(await this.#redis.get(FORMAT_KEY));
      const fault = newerFormat(found);
      if (fault === undefined) return;
      throw new NewerState(`the state in Redis ${fault}, or name another database`);
    } catch (error) {
      // Whoever asks next tries again; what a newer release wrote stays refused until the server is another one.
      if (!(error instanceof NewerState)) this.#readable = undefined;
      throw error;
    }
  }
}
