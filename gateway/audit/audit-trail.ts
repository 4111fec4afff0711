import type { Logger } from 'pino';
import type { AuditEntry, AuditLog } from '../../experiments/stores/state-store.ts';
import { isAuditRecord } from '../../experiments/standing/audit-record.ts';
import type { AuditRecord } from '../../experiments/standing/audit-record.ts';
import { StoreUnavailable } from '../../experiments/stores/state-store.ts';
import { AT_THE_BEGINNING, cursorOf, readAfter } from './audit-cursor.ts';
import type { AuditCursor } from './audit-cursor.ts';
import type { AuditFile } from './audit-file.ts';

const READ_AT_ONCE = 500;

/**
 * Copies the audit log, whoever wrote to it, into a file of this replica's. After a crash it goes on where the file ends; a log
 * that the store has lost is followed from its new beginning, behind what the file has of the old one, and what was in force here of it.
 */
export class AuditTrail {
  readonly #log: AuditLog;
  readonly #file: AuditFile;
  readonly #logger: Logger;
  #cursor: AuditCursor | undefined;
  /** Changes that are in force here and not in the file yet, by their name: a store that loses its log takes them from nobody else. */
  readonly #inForce = new Map<string, AuditRecord>();
  #turn: Promise<void> = Promise.resolve();
  #fault = '';

  constructor(log: AuditLog, file: AuditFile, logger: Logger) {
    this.#log = log;
    this.#file = file;
    this.#logger = logger;
  }

  /** A change is in force on this replica; the log has it, and its entry comes by {@link catchUp}. */
  note(change: AuditRecord): void {
    this.#inForce.set(change.id, change);
  }

  /** Copies all that is in the log when it is called; what can't be copied now is copied the next time. */
  catchUp(): Promise<void> {
    this.#turn = this.#turn.then(() => this.#copy());
    return this.#turn;
  }

  async close(): Promise<void> {
    await this.catchUp();
    await this.#file.close();
  }

  async #copy(): Promise<void> {
    // What is in force was in the log before, so the end of the log has it.
    const copied = [...this.#inForce.keys()];
    try {
      this.#cursor ??= await this.#file.cursor();
      for (;;) {
        const { entries, isNewLog } = await readAfter(this.#log, this.#cursor, READ_AT_ONCE);
        if (isNewLog) {
          this.#logger.error('the state store has lost its audit log; the audit file has what was before');
          await this.#file.append(this.#lostSince(this.#cursor, entries));
          this.#cursor = AT_THE_BEGINNING;
        }
        const last = entries.at(-1);
        if (last === undefined) break;
        // What was brought back into the log was in it before.
        await this.#file.append(entries.filter((entry) => !(isRestored(entry) && this.#file.has(entry))));
        this.#cursor = cursorOf(last);
      }
      for (const id of copied) this.#inForce.delete(id);
      this.#fault = '';
    } catch (error) {
      // That the store is away is told by whoever changes something.
      if (error instanceof StoreUnavailable) return;
      const fault = error instanceof Error ? error.message : String(error);
      if (fault !== this.#fault)
        this.#logger.error(
          { fault },
          'the audit file can not be written; it is tried again with the next change',
        );
      this.#fault = fault;
      // How far the file goes isn't known any more.
      this.#cursor = undefined;
    }
  }

  /** What was in force here and went with the old log, under the numbers that it had there. */
  #lostSince({ sequence }: AuditCursor, entries: readonly AuditEntry[]): readonly AuditEntry[] {
    const known = new Set(entries.filter((entry) => !isRestored(entry)).map((entry) => cursorOf(entry).id));
    return [...this.#inForce.values()]
      .filter(({ id }) => !known.has(id))
      .map((entry, index) => ({ sequence: sequence + index + 1, entry }))
      .filter((entry) => !this.#file.has(entry));
  }
}

function isRestored({ entry }: AuditEntry): boolean {
  return isAuditRecord(entry) && entry.restored === true;
}
