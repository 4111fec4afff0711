import { auditRecord, isAuditRecord } from '../../experiments/standing/audit-record.ts';
import type { AuditRecord } from '../../experiments/standing/audit-record.ts';
import { readAuditEvent } from '../audit/audit-event.ts';
import type { Standing } from '../../experiments/standing/standing.ts';
import type { AuditEntry, AuditLog } from '../../experiments/stores/state-store.ts';

/** Changes that are remembered of an experiment: many times what a replica misses while another one makes them. */
const MAX_REMEMBERED = 64;

/** How far back the log is read. */
const MAX_READ = 1000;

/**
 * The last changes of one experiment that this replica knows of. What is in force here and went with a store that lost its log can so be
 * brought back with it: who had missed a change, or had not copied its entry yet, would have it from nobody else.
 */
export class ChangeHistory {
  readonly #log: AuditLog;
  readonly #experiment: string;
  #known: AuditRecord[];

  /** @param known what an earlier process of this replica knew */
  constructor(log: AuditLog, experiment: string, known: readonly AuditRecord[] = []) {
    this.#log = log;
    this.#experiment = experiment;
    this.#known = [...known];
  }

  /** In the order in which they were made. */
  get known(): readonly AuditRecord[] {
    return this.#known;
  }

  add(changes: readonly AuditRecord[]): void {
    const fresh = changes.filter(({ id }) => !this.#known.some((known) => known.id === id));
    if (fresh.length > 0) this.#known = [...this.#known, ...fresh].slice(-MAX_REMEMBERED);
  }

  /**
   * The changes that lead from what is held to what the store has.
   *
   * @param held undefined: nothing was known before, and nothing was missed
   * @throws StoreUnavailable
   */
  async leadingTo(
    stored: Standing,
    held: Standing | undefined,
    model: string,
  ): Promise<readonly AuditRecord[]> {
    if (held === undefined) return [];
    const isNext = stored.version === held.version + 1 && !stored.isRecovered;
    return isNext ? [auditRecord(model, held, stored)] : this.#between(held.version, stored.version);
  }

  /**
   * What the log says of the change that made a version.
   *
   * @throws StoreUnavailable
   */
  of(version: number): Promise<readonly AuditRecord[]> {
    return this.#between(version - 1, version);
  }

  async #between(after: number, upTo: number): Promise<readonly AuditRecord[]> {
    if (after >= upTo) return [];
    return (await this.#readEnd())
      .flatMap(({ entry }) => (isAuditRecord(entry) ? [asMade(entry)] : []))
      .filter(({ experiment, before, after: { version } }) => {
        const isChange = before?.version !== version;
        return isChange && experiment === this.#experiment && version > after && version <= upTo;
      });
  }

  /**
   * The known changes that the log has lost, marked for who reads it.
   *
   * @throws StoreUnavailable
   */
  async lost(): Promise<readonly AuditRecord[]> {
    if (this.#known.length === 0) return [];
    const end = await this.#readEnd();
    const ids = new Set(end.map(({ entry }) => (isAuditRecord(entry) ? entry.id : '')));
    const [first] = end;
    // What is older than what was read may well be in the log.
    const since = first !== undefined && first.sequence > 1 ? (readAuditEvent(first.entry)?.at ?? '') : '';
    return this.#known
      .filter(({ id, at }) => !ids.has(id) && at >= since)
      .map((change) => ({ ...change, restored: true as const }));
  }

  async #readEnd(): Promise<readonly AuditEntry[]> {
    const length = await this.#log.auditLength();
    return this.#log.readAudit(Math.max(0, length - MAX_READ), MAX_READ);
  }
}

function asMade(record: AuditRecord): AuditRecord {
  const change = { ...record };
  delete change.restored;
  return change;
}
