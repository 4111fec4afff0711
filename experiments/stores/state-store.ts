import type { CountedMetric } from '../counted-metric.ts';
import type { MirrorBatch } from '../mirror/mirror-fields.ts';
import type { MirrorTally } from '../mirror/mirror-tally.ts';
import type { ExposureBatch, Outcome, OutcomeStatus, Scope } from './ledger.ts';
import type { Tallies } from './tallies.ts';

/** The store can't be asked now: it is away, too slow or full. What was asked may or may not have happened. */
export class StoreUnavailable extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'StoreUnavailable';
  }
}

/** A write under a lease that its holder has lost: nothing was written. */
export class LeaseLost extends Error {
  constructor(lease: string) {
    super(`the lease ${lease} has run out, or somebody else holds it`);
    this.name = 'LeaseLost';
  }
}

/** A document and how often it was written, from 1. */
export interface Versioned {
  readonly version: number;
  /** Plain JSON. */
  readonly value: unknown;
}

/** A right that a write stands under: the store looks whether it still holds in the same step as it writes. */
export interface Fence {
  /** The lease's name. */
  readonly lease: string;
  readonly holder: string;
  readonly token: number;
}

/** What is done in one step with a write: all of it, or nothing. */
export interface WriteOptions {
  /** Refuses the write where the lease has run out or has another holder. */
  readonly fence?: Fence;
  /** What the audit log says of the write, in this order, plain JSON each. */
  readonly audit?: readonly unknown[];
}

/** Small JSON documents that many replicas read and few write. Keys are names of the gateway's own making. */
export interface Documents {
  readDocument(key: string): Promise<Versioned | undefined>;
  /**
   * Writes a document where its version is still the expected one (0: where there is none).
   *
   * @returns the new version; undefined where somebody else was first
   * @throws LeaseLost where the fence doesn't hold
   */
  writeDocument(
    key: string,
    value: unknown,
    expectedVersion: number,
    options?: WriteOptions,
  ): Promise<number | undefined>;
  /**
   * Tells of a document that any replica wrote, within a second; several writes may be told as one.
   *
   * @returns ends the watch
   */
  watchDocument(key: string, onChange: () => void): () => void;
}

/** Things that are done once, whoever does them. */
export interface Claims {
  /** @returns whether the claim is the caller's: nobody had it in the last `ttlMs` milliseconds */
  claim(key: string, ttlMs: number): Promise<boolean>;
}

export interface AuditEntry {
  /** 1 for the first. */
  readonly sequence: number;
  /** Plain JSON. */
  readonly entry: unknown;
}

/** What was done, in the order it was done; nothing is ever changed or taken away. */
export interface AuditLog {
  /** @returns its sequence number */
  appendAudit(entry: unknown): Promise<number>;
  /** @param after the last sequence number that is known; 0 for none */
  readAudit(after: number, limit: number): Promise<readonly AuditEntry[]>;
  /** The last sequence number; 0 for none. */
  auditLength(): Promise<number>;
}

/** A holder's right, and a number that grows with each new holder: a write under an older one is refused by its number. */
export interface Lease {
  readonly token: number;
}

/**
 * The time that all who share a store agree on, whatever their own clocks say. What the store is given a time of (exposures, outcomes, when
 * windows close) is given this one's.
 */
export interface SharedClock {
  /** Milliseconds since 1970. */
  nowMs(): number;
}

/** One holder at a time, for as long as it keeps renewing. */
export interface Leases {
  /** Takes the lease where nobody holds it, or renews it where `holder` does; undefined where another one holds it. */
  acquireLease(name: string, holder: string, ttlMs: number): Promise<Lease | undefined>;
  /** Who holds it now; undefined where nobody does. */
  leaseHolder(name: string): Promise<string | undefined>;
  /** Ends it early where `holder` holds it. */
  releaseLease(name: string, holder: string): Promise<void>;
}

/** Where a unit of a sticky experiment landed. */
export interface Landed {
  readonly variant: string;
  /** Whether it landed there by this call. */
  readonly isNew: boolean;
}

/** Where units of sticky experiments landed first. */
export interface Landings {
  /**
   * Says where a unit landed; where it has not, or in a variant that keeps nobody, it lands now. Of many who ask at once one is first, and
   * all are told the same.
   *
   * @param unitHash the hash that splits it
   * @param variant where it lands if it has not
   * @param keepers the variants that keep those who landed there
   */
  land(scope: Scope, unitHash: number, variant: string, keepers: readonly string[]): Promise<Landed>;
  /** Says where a unit landed, and lets none land; undefined: it has not. */
  landing(scope: Scope, unitHash: number): Promise<string | undefined>;
}

/** What came of an experiment's predictions. */
export interface ExperimentData {
  /**
   * Counts requests, and enters the units that are new to their phase.
   *
   * A batch that fails with {@link StoreUnavailable} is to be dropped: its requests may have been counted.
   */
  recordExposures(batch: ExposureBatch): Promise<void>;
  /**
   * Counts outcomes, each once; to be repeated where it failed with {@link StoreUnavailable}.
   *
   * @returns what became of each, in their order
   */
  recordOutcomes(outcomes: readonly Outcome[]): Promise<readonly OutcomeStatus[]>;
  /**
   * Lets the units enter whose windows have closed, and adds up.
   *
   * @param metrics the experiment's own, as its outcomes were recorded with
   */
  tallies(
    experiment: string,
    phase: number,
    metrics: readonly CountedMetric[],
    nowMs: number,
  ): Promise<Tallies>;
  /**
   * Adds up how shadows' answers differed from the callers'.
   *
   * A batch that fails with {@link StoreUnavailable} is to be dropped: it may have been counted.
   */
  recordMirrors(batch: MirrorBatch): Promise<void>;
  /** What the mirrors of a phase have shown, by pair. */
  mirrors(experiment: string, phase: number): Promise<readonly MirrorTally[]>;
}

/**
 * Where the gateway keeps what has to outlive a request: in memory, in a file, or in Redis for many replicas.
 *
 * Every method may throw {@link StoreUnavailable}. What a method answered survives the death of the process, unless the
 * store is the one in memory.
 */
export interface StateStore
  extends Documents, Claims, AuditLog, Leases, SharedClock, Landings, ExperimentData {
  readonly kind: 'memory' | 'sqlite' | 'redis';
  /** Ends it; what was asked before is answered. */
  close(): Promise<void>;
}
