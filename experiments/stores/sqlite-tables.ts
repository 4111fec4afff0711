import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { Epoch } from '../epoch.ts';
import type { CountedMetric } from '../counted-metric.ts';
import type { MirrorBatch } from '../mirror/mirror-fields.ts';
import { readMirrorTallies } from '../mirror/mirror-tally.ts';
import type { MirrorTally } from '../mirror/mirror-tally.ts';
import { claimOf, closeWindow, countDuplicate, countRequests, expose, settle } from './ledger.ts';
import type { ExposureBatch, Outcome, OutcomeStatus, Scope, Step, UnitState } from './ledger.ts';
import type { Landed } from './state-store.ts';
import { readTallies } from './tallies.ts';
import type { Tallies, TallyDelta } from './tallies.ts';

/** Expired claims that are deleted together, so that no transaction is long for it. */
const PURGED_AT_ONCE = 1000;

/** Windows that are closed in one transaction: others' writes wait for it. */
const CLOSED_AT_ONCE = 500;

/** An experiment's data in SQLite's tables. Its methods run inside a transaction that the caller opens. */
export class SqliteTables {
  readonly #database: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  readonly #scopeIds = new Map<string, number>();

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  /** A statement, prepared once. */
  prepare(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#database.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  /** What was remembered inside a transaction that was rolled back. */
  forget(): void {
    this.#scopeIds.clear();
  }

  recordExposures({ epochs, requests, units }: ExposureBatch): void {
    for (const { experiment, phase, ...epoch } of epochs) {
      this.prepare('INSERT OR IGNORE INTO epoch (scope, epoch, json) VALUES (?, ?, ?)').run(
        this.#scopeId({ experiment, phase }),
        epoch.epoch,
        JSON.stringify(epoch),
      );
    }
    for (const counts of requests) this.#add(this.#scopeId(counts), countRequests(counts));
    for (const exposure of units) {
      const scope = this.#scopeId(exposure);
      this.#take(scope, exposure.unit, expose(this.#unit(scope, exposure.unit), exposure));
    }
  }

  recordOutcomes(outcomes: readonly Outcome[]): readonly OutcomeStatus[] {
    const [first] = outcomes;
    if (first !== undefined) this.purgeClaims(first.receivedMs);
    return outcomes.map((outcome) => {
      const scope = this.#scopeId(outcome);
      const { unit } = outcome;
      if (!this.claim(claimOf(outcome), outcome.expiresMs, outcome.receivedMs)) {
        this.#add(scope, countDuplicate(outcome));
        return 'duplicate';
      }
      const step = settle(unit === undefined ? undefined : this.#unit(scope, unit), outcome);
      this.#take(scope, unit ?? '', step);
      return step.status;
    });
  }

  /**
   * Closes windows that are due, as many as don't make a transaction long.
   *
   * @returns whether there may be more
   */
  closeWindows(experiment: string, phase: number, metrics: readonly CountedMetric[], nowMs: number): boolean {
    const scope = this.#scopeId({ experiment, phase });
    const due = this.prepare(
      'SELECT closes_ms, unit, window_ms FROM open_window WHERE scope = ? AND closes_ms <= ? LIMIT ?',
    ).all(scope, nowMs, CLOSED_AT_ONCE);
    for (const { closes_ms: closesMs, unit: name, window_ms: windowMs } of due) {
      const unit = this.#unit(scope, String(name));
      if (unit !== undefined) this.#take(scope, String(name), closeWindow(unit, Number(windowMs), metrics));
      this.prepare(
        'DELETE FROM open_window WHERE scope = ? AND closes_ms = ? AND unit = ? AND window_ms = ?',
      ).run(scope, Number(closesMs), String(name), Number(windowMs));
    }
    return due.length === CLOSED_AT_ONCE;
  }

  tallies(experiment: string, phase: number): Tallies {
    const scope = this.#scopeId({ experiment, phase });
    const sums = this.prepare('SELECT field, sum FROM tally WHERE scope = ?').all(scope);
    const epochs = this.prepare('SELECT json FROM epoch WHERE scope = ? ORDER BY rowid').all(scope);
    return readTallies(
      experiment,
      phase,
      sums.map(({ field, sum }) => [String(field), Number(sum)] as const),
      epochs.map(({ json }) => JSON.parse(String(json)) as Epoch),
    );
  }

  recordMirrors({ sums, maxima, ...scope }: MirrorBatch): void {
    const id = this.#scopeId(scope);
    const add = this.prepare(
      'INSERT INTO mirror (scope, field, value) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET value = value + excluded.value',
    );
    for (const [field, amount] of sums) add.run(id, field, amount);
    const raise = this.prepare(
      'INSERT INTO mirror (scope, field, value) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET value = max(value, excluded.value)',
    );
    for (const [field, value] of maxima) raise.run(id, field, value);
  }

  mirrors(experiment: string, phase: number): readonly MirrorTally[] {
    const rows = this.prepare('SELECT field, value FROM mirror WHERE scope = ?').all(
      this.#scopeId({ experiment, phase }),
    );
    return readMirrorTallies(rows.map(({ field, value }) => [String(field), Number(value)] as const));
  }

  land(scope: Scope, unitHash: number, variant: string, keepers: readonly string[]): Landed {
    const id = this.#scopeId(scope);
    const landed = this.landing(scope, unitHash);
    if (landed !== undefined && keepers.includes(landed)) return { variant: landed, isNew: false };
    this.prepare(
      'INSERT INTO landed (scope, unit, variant) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET variant = excluded.variant',
    ).run(id, unitHash, variant);
    return { variant, isNew: true };
  }

  landing(scope: Scope, unitHash: number): string | undefined {
    const row = this.prepare('SELECT variant FROM landed WHERE scope = ? AND unit = ?').get(
      this.#scopeId(scope),
      unitHash,
    );
    return row === undefined ? undefined : String(row.variant);
  }

  /** @returns whether nobody has the claim at `nowMs` */
  claim(key: string, expiresMs: number, nowMs: number): boolean {
    const { changes } = this.prepare(
      'INSERT INTO claim (key, expires_ms) VALUES (?, ?) ' +
        'ON CONFLICT (key) DO UPDATE SET expires_ms = excluded.expires_ms WHERE expires_ms <= ?',
    ).run(key, expiresMs, nowMs);
    return Number(changes) === 1;
  }

  purgeClaims(nowMs: number): void {
    this.prepare('DELETE FROM claim WHERE key IN (SELECT key FROM claim WHERE expires_ms <= ? LIMIT ?)').run(
      nowMs,
      PURGED_AT_ONCE,
    );
  }

  #scopeId({ experiment, phase }: Scope): number {
    const key = `${experiment} ${phase}`;
    let id = this.#scopeIds.get(key);
    if (id === undefined) {
      this.prepare('INSERT OR IGNORE INTO scope (experiment, phase) VALUES (?, ?)').run(experiment, phase);
      const row = this.prepare('SELECT id FROM scope WHERE experiment = ? AND phase = ?').get(
        experiment,
        phase,
      );
      id = Number(row?.id);
      this.#scopeIds.set(key, id);
    }
    return id;
  }

  #unit(scope: number, unit: string): UnitState | undefined {
    const row = this.prepare('SELECT json FROM unit WHERE scope = ? AND unit = ?').get(scope, unit);
    return row === undefined ? undefined : (JSON.parse(String(row.json)) as UnitState);
  }

  #take(scope: number, unit: string, { unit: state, deltas, opens = [] }: Step): void {
    if (state !== undefined) {
      this.prepare(
        'INSERT INTO unit (scope, unit, json) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET json = excluded.json',
      ).run(scope, unit, JSON.stringify(state));
    }
    this.#add(scope, deltas);
    for (const { windowMs, closesMs } of opens) {
      this.prepare(
        'INSERT OR IGNORE INTO open_window (scope, closes_ms, unit, window_ms) VALUES (?, ?, ?, ?)',
      ).run(scope, closesMs, unit, windowMs);
    }
  }

  #add(scope: number, deltas: readonly TallyDelta[]): void {
    const add = this.prepare(
      'INSERT INTO tally (scope, field, sum) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET sum = sum + excluded.sum',
    );
    for (const [field, amount] of deltas) add.run(scope, field, amount);
  }
}
