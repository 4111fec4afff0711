import type { Epoch } from '../../epoch.ts';
import type { CountedMetric } from '../../counted-metric.ts';
import type { MirrorBatch } from '../../mirror/mirror-fields.ts';
import { readMirrorTallies } from '../../mirror/mirror-tally.ts';
import type { MirrorTally } from '../../mirror/mirror-tally.ts';
import { closeWindow, countDuplicate, countRequests, expose, settle } from '../ledger.ts';
import type { ExposureBatch, Outcome, OutcomeStatus, Scope, Step } from '../ledger.ts';
import { LeaseLost, StoreUnavailable } from '../state-store.ts';
import type {
  AuditEntry,
  Fence,
  Landed,
  Lease,
  StateStore,
  Versioned,
  WriteOptions,
} from '../state-store.ts';
import { readTallies } from '../tallies.ts';
import type { Tallies, TallyDelta } from '../tallies.ts';
import { OpenWindows } from './open-windows.ts';
import { OutcomeClaims } from './outcome-claims.ts';
import { UnitTable } from './unit-table.ts';

export interface MemoryLimits {
  /** Units, over all experiments, and sticky ones; one more of either is refused. Default 1,000,000. */
  readonly units?: number;
  /** Outcomes and other claims that are remembered; one more is refused. Default 1,000,000. */
  readonly claims?: number;
  /** Entries of the audit log; older ones are forgotten. Default 10,000. */
  readonly auditEntries?: number;
}

/** What is known of one phase. */
interface ScopeData {
  readonly units: UnitTable;
  readonly sums: Map<string, number>;
  readonly epochs: Map<number, Epoch>;
  readonly open: OpenWindows;
  /** Of mirrors: sums and maxima, whose names differ. */
  readonly mirrored: Map<string, number>;
  /** Where units of a sticky experiment landed, by the hash that splits them. */
  readonly landed: Map<number, string>;
}

/** Keeps everything in this process's memory, within bounds, and promises nothing: it is gone when the process is. */
export class MemoryStore implements StateStore {
  readonly kind = 'memory';
  readonly #limits: Required<MemoryLimits>;
  readonly #documents = new Map<string, { readonly version: number; readonly json: string }>();
  readonly #watchers = new Map<string, Set<() => void>>();
  /** Until when each claim holds. */
  readonly #claims = new Map<string, number>();
  readonly #audit: AuditEntry[] = [];
  #auditLength = 0;
  readonly #leases = new Map<
    string,
    { readonly holder: string; readonly token: number; expiresMs: number }
  >();
  #leaseToken = 0;
  readonly #scopes = new Map<string, ScopeData>();
  #units = 0;
  #landed = 0;
  readonly #outcomes = new OutcomeClaims();

  constructor({ units = 1_000_000, claims = 1_000_000, auditEntries = 10_000 }: MemoryLimits = {}) {
    this.#limits = { units, claims, auditEntries };
  }

  readDocument(key: string): Promise<Versioned | undefined> {
    const found = this.#documents.get(key);
    return Promise.resolve(found && { version: found.version, value: JSON.parse(found.json) as unknown });
  }

  writeDocument(
    key: string,
    value: unknown,
    expectedVersion: number,
    { fence, audit = [] }: WriteOptions = {},
  ): Promise<number | undefined> {
    return settled(() => {
      if (fence !== undefined && !this.#holds(fence)) throw new LeaseLost(fence.lease);
      const version = this.#documents.get(key)?.version ?? 0;
      if (version !== expectedVersion) return undefined;
      this.#documents.set(key, { version: version + 1, json: JSON.stringify(value) });
      for (const entry of audit) this.#append(entry);
      for (const onChange of this.#watchers.get(key) ?? []) queueMicrotask(onChange);
      return version + 1;
    });
  }

  watchDocument(key: string, onChange: () => void): () => void {
    const watchers = this.#watchers.get(key) ?? new Set();
    this.#watchers.set(key, watchers.add(onChange));
    return () => watchers.delete(onChange);
  }

  claim(key: string, ttlMs: number): Promise<boolean> {
    const nowMs = Date.now();
    return settled(() => this.#claim(`claim ${key}`, nowMs + ttlMs, nowMs));
  }

  appendAudit(entry: unknown): Promise<number> {
    return Promise.resolve(this.#append(entry));
  }

  auditLength(): Promise<number> {
    return Promise.resolve(this.#auditLength);
  }

  readAudit(after: number, limit: number): Promise<readonly AuditEntry[]> {
    return Promise.resolve(this.#audit.filter(({ sequence }) => sequence > after).slice(0, limit));
  }

  nowMs(): number {
    return Date.now();
  }

  acquireLease(name: string, holder: string, ttlMs: number): Promise<Lease | undefined> {
    const nowMs = Date.now();
    const held = this.#leases.get(name);
    const isHeld = held !== undefined && held.expiresMs > nowMs;
    if (isHeld && held.holder !== holder) return Promise.resolve(undefined);
    const token = isHeld ? held.token : ++this.#leaseToken;
    this.#leases.set(name, { holder, token, expiresMs: nowMs + ttlMs });
    return Promise.resolve({ token });
  }

  leaseHolder(name: string): Promise<string | undefined> {
    return settled(() => {
      const held = this.#leases.get(name);
      return held !== undefined && held.expiresMs > Date.now() ? held.holder : undefined;
    });
  }

  releaseLease(name: string, holder: string): Promise<void> {
    if (this.#leases.get(name)?.holder === holder) this.#leases.delete(name);
    return Promise.resolve();
  }

  recordExposures({ epochs, requests, units }: ExposureBatch): Promise<void> {
    return settled(() => {
      for (const { experiment, phase, ...epoch } of epochs) {
        const known = this.#scopeOf({ experiment, phase }).epochs;
        if (!known.has(epoch.epoch)) known.set(epoch.epoch, epoch);
      }
      for (const counts of requests) add(this.#scopeOf(counts), countRequests(counts));
      for (const exposure of units) {
        const scope = this.#scopeOf(exposure);
        const before = scope.units.at(scope.units.rowOf(exposure.unit));
        this.#take(scope, exposure.unit, expose(before, exposure));
      }
    });
  }

  recordOutcomes(outcomes: readonly Outcome[]): Promise<readonly OutcomeStatus[]> {
    return settled(() =>
      outcomes.map((outcome) => {
        const scope = this.#scopeOf(outcome);
        if (this.#outcomes.has(outcome, outcome.receivedMs)) {
          add(scope, countDuplicate(outcome));
          return 'duplicate';
        }
        if (!this.#outcomes.hasRoomFor(outcome)) this.#makeRoom(outcome.receivedMs);
        const { unit } = outcome;
        const before = unit === undefined ? undefined : scope.units.at(scope.units.rowOf(unit));
        const step = settle(before, outcome);
        this.#take(scope, unit ?? '', step);
        this.#outcomes.add(outcome);
        return step.status;
      }),
    );
  }

  tallies(
    experiment: string,
    phase: number,
    metrics: readonly CountedMetric[],
    nowMs: number,
  ): Promise<Tallies> {
    const scope = this.#scopeOf({ experiment, phase });
    for (const { row, windowMs } of scope.open.takeDue(nowMs)) {
      const state = scope.units.at(row);
      if (state !== undefined)
        this.#take(scope, scope.units.unitAt(row), closeWindow(state, windowMs, metrics));
    }
    return Promise.resolve(readTallies(experiment, phase, scope.sums, [...scope.epochs.values()]));
  }

  recordMirrors({ sums, maxima, ...scope }: MirrorBatch): Promise<void> {
    const { mirrored } = this.#scopeOf(scope);
    for (const [field, amount] of sums) mirrored.set(field, (mirrored.get(field) ?? 0) + amount);
    for (const [field, value] of maxima) mirrored.set(field, Math.max(mirrored.get(field) ?? value, value));
    return Promise.resolve();
  }

  mirrors(experiment: string, phase: number): Promise<readonly MirrorTally[]> {
    return Promise.resolve(readMirrorTallies(this.#scopeOf({ experiment, phase }).mirrored));
  }

  land(scope: Scope, unitHash: number, variant: string, keepers: readonly string[]): Promise<Landed> {
    return settled(() => {
      const { landed } = this.#scopeOf(scope);
      const before = landed.get(unitHash);
      if (before !== undefined && keepers.includes(before)) return { variant: before, isNew: false };
      if (before === undefined) {
        if (this.#landed >= this.#limits.units) throw full('sticky units', this.#limits.units);
        this.#landed += 1;
      }
      landed.set(unitHash, variant);
      return { variant, isNew: true };
    });
  }

  landing(scope: Scope, unitHash: number): Promise<string | undefined> {
    return Promise.resolve(this.#scopeOf(scope).landed.get(unitHash));
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #append(entry: unknown): number {
    this.#auditLength += 1;
    this.#audit.push({
      sequence: this.#auditLength,
      entry: JSON.parse(JSON.stringify(entry)) as unknown,
    });
    if (this.#audit.length > this.#limits.auditEntries) this.#audit.shift();
    return this.#auditLength;
  }

  #holds({ lease, holder, token }: Fence): boolean {
    const held = this.#leases.get(lease);
    return held?.holder === holder && held.token === token && held.expiresMs > Date.now();
  }

  /** @throws StoreUnavailable when as many are remembered as may be */
  #claim(key: string, expiresMs: number, nowMs: number): boolean {
    const until = this.#claims.get(key);
    if (until !== undefined && until > nowMs) return false;
    if (until === undefined) this.#makeRoom(nowMs);
    this.#claims.set(key, expiresMs);
    return true;
  }

  /**
   * For one claim more.
   *
   * @throws StoreUnavailable when as many are remembered as may be
   */
  #makeRoom(nowMs: number): void {
    const size = (): number => this.#claims.size + this.#outcomes.size;
    if (size() < this.#limits.claims) return;
    for (const [old, untilMs] of this.#claims) if (untilMs <= nowMs) this.#claims.delete(old);
    this.#outcomes.purge(nowMs);
    if (size() >= this.#limits.claims) throw full('outcomes', this.#limits.claims);
  }

  #scopeOf({ experiment, phase }: Scope): ScopeData {
    const key = `${experiment} ${phase}`;
    let scope = this.#scopes.get(key);
    if (scope === undefined) {
      const units = new UnitTable();
      scope = {
        units,
        sums: new Map(),
        epochs: new Map(),
        open: new OpenWindows((row) => units.timeMsAt(row)),
        mirrored: new Map(),
        landed: new Map(),
      };
      this.#scopes.set(key, scope);
    }
    return scope;
  }

  /** @throws StoreUnavailable when a unit is one too many */
  #take(scope: ScopeData, unit: string, { unit: state, deltas, opens = [] }: Step): void {
    if (state !== undefined) {
      if (scope.units.rowOf(unit) < 0) {
        if (this.#units >= this.#limits.units) throw full('units', this.#limits.units);
        this.#units += 1;
      }
      const row = scope.units.set(unit, state);
      for (const { windowMs } of opens) scope.open.add(row, windowMs);
    }
    add(scope, deltas);
  }
}

function add({ sums }: ScopeData, deltas: readonly TallyDelta[]): void {
  for (const [field, amount] of deltas) sums.set(field, (sums.get(field) ?? 0) + amount);
}

function full(what: string, limit: number): StoreUnavailable {
  return new StoreUnavailable(
    `the memory holds ${limit} ${what}, as many as it may; set \`state: sqlite:FILE\` or \`state: redis://…\``,
  );
}

/** What is thrown becomes the promise's rejection, as of the stores that work elsewhere. */
function settled<Value>(work: () => Value): Promise<Value> {
  return new Promise((resolve) => {
    resolve(work());
  });
}
