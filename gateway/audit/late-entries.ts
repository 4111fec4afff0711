import type { AuditLog } from '../../experiments/stores/state-store.ts';
import type { Spool } from '../state/spool.ts';
import type { AuditEvent } from './audit-event.ts';
import { readAuditEvent } from './audit-event.ts';

export interface LateEntriesOptions {
  readonly store: AuditLog;
  readonly spool: Spool<AuditEvent>;
  /** Told when the log has entries that had waited. */
  readonly onDelivered: () => void;
  readonly log: { warn(fields: object, message: string): void; info(fields: object, message: string): void };
}

/** How often what is on disk is offered to the store. */
const RETRY_MS = 1000;

/** How often it is looked for what processes have left on disk that died beside this one. */
const ADOPT_MS = 60_000;

/** How far back the log is looked through for what an earlier try brought there: many times what waits while a store is away. */
const LOOKED_THROUGH = 1000;

/** Entries of the audit log that happened while the store was away: they are on disk until the log has them, behind what it has by then. */
export class LateEntries {
  readonly #options: LateEntriesOptions;
  #timer: NodeJS.Timeout | undefined;
  #adoption: NodeJS.Timeout | undefined;
  #turn: Promise<void> = Promise.resolve();
  #isClosed = false;

  constructor(options: LateEntriesOptions) {
    this.#options = options;
  }

  /** Takes up what earlier processes left on disk. */
  async open(): Promise<void> {
    const { spool, log } = this.#options;
    try {
      await spool.open();
    } catch (error) {
      log.warn(
        { reason: reasonOf(error) },
        'the folder `spool` can not be written: entries of the audit log would be in this log only while the state store is away',
      );
    }
    if (spool.size > 0) this.#deliverSoon();
    this.#adoption = setInterval(() => {
      // A place that can't be looked at now is looked at the next time.
      this.#inTurn(() => spool.adopt().catch(() => undefined));
      this.#inTurn(() => {
        if (spool.size > 0) this.#deliverSoon();
      });
    }, ADOPT_MS).unref();
  }

  /** @throws Error of the file system: then it is nowhere */
  async keep(entry: AuditEvent): Promise<void> {
    await this.#options.spool.append([entry]);
    this.#deliverSoon();
  }

  /** What waits stays on disk for the next process. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    clearInterval(this.#adoption);
    await this.#turn;
    await this.#options.spool.close();
  }

  #deliverSoon(): void {
    if (this.#isClosed) return;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#inTurn(() => this.#deliver());
    }, RETRY_MS).unref();
  }

  #inTurn(work: () => void | Promise<void>): void {
    this.#turn = this.#turn.then(work);
  }

  async #deliver(): Promise<void> {
    const { spool, onDelivered, log } = this.#options;
    const kept = spool.size;
    try {
      await spool.deliver((entries) => this.#append(entries));
      log.info({ kept }, 'the entries of the audit log that were kept on disk are delivered');
      onDelivered();
    } catch {
      this.#deliverSoon();
      return;
    }
    if (spool.size > 0) this.#deliverSoon();
  }

  /** A try that broke off, or a process that died in the middle of one, may have brought some of them. */
  async #append(entries: readonly AuditEvent[]): Promise<void> {
    const { store } = this.#options;
    const length = await store.auditLength();
    const last = await store.readAudit(Math.max(0, length - LOOKED_THROUGH), LOOKED_THROUGH);
    const known = new Set(last.map(({ entry }) => readAuditEvent(entry)?.id));
    for (const entry of entries) if (!known.has(entry.id)) await store.appendAudit(entry);
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
