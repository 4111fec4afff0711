import { randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import type { StateStore } from '../../experiments/stores/state-store.ts';
import type { Config } from '../config/config.ts';
import type { StandingChange } from '../standing/standing-change.ts';
import type { SpoolPlace } from '../state/spool-place.ts';
import { Spool } from '../state/spool.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { AuditEvent, NewEvent } from './audit-event.ts';
import { AuditFile } from './audit-file.ts';
import { AuditTrail } from './audit-trail.ts';
import { LateEntries } from './late-entries.ts';
import { Webhooks } from './webhooks.ts';

export interface AuditOptions {
  readonly config: Pick<Config, 'auditFile' | 'webhooks'>;
  readonly store: StateStore;
  /** Where this process keeps on disk what the store can't take; undefined: nowhere. */
  readonly place: SpoolPlace | undefined;
  /** Names this process; no other has the same. */
  readonly holder: string;
  readonly metrics: Metrics;
  readonly log: Logger;
}

/** What writes to the audit log of the state store beside the experiments, and what follows it: the file that copies it, and the webhooks that are told of it. */
export class Audit {
  readonly #store: StateStore;
  readonly #log: Logger;
  readonly #trail: AuditTrail | undefined;
  readonly #webhooks: Webhooks;
  readonly #late: LateEntries | undefined;

  constructor({ config, store, place, holder, metrics, log }: AuditOptions) {
    this.#store = store;
    this.#log = log;
    const { auditFile, webhooks } = config;
    this.#trail = auditFile === undefined ? undefined : new AuditTrail(store, new AuditFile(auditFile), log);
    this.#webhooks = new Webhooks({
      webhooks,
      store,
      holder,
      onResult: (webhook, result) => {
        metrics.recordWebhook(webhook, result);
      },
      log,
    });
    this.#late =
      place &&
      new LateEntries({
        store,
        spool: new Spool<AuditEvent>(place, 'audit'),
        onDelivered: () => void this.keep(),
        log,
      });
  }

  start(): void {
    this.#webhooks.start();
    void this.#late?.open();
    void this.keep();
  }

  /**
   * Writes an entry, and brings it into the file. What it tells of has happened: where the log can't be written, the entry is kept on disk for it, and
   * the gateway's own log has it.
   */
  async write(event: NewEvent): Promise<void> {
    const at = new Date(this.#store.nowMs()).toISOString();
    const entry: AuditEvent = { ...event, id: randomUUID(), at };
    try {
      await this.#store.appendAudit(entry);
      await this.keep();
    } catch (error) {
      const isKept = await this.#late?.keep(entry).then(
        () => true,
        () => false,
      );
      this.#log.error(
        { err: error, entry },
        isKept === true
          ? 'the audit log could not be written; this entry is kept on disk until it can be'
          : 'the audit log could not be written; this entry is here only',
      );
    }
  }

  /** A change is in force here. What this replica didn't see change itself is an older entry of the log. */
  note({ records }: StandingChange): void {
    for (const record of records) this.#trail?.note(record);
  }

  /** Resolves when what is in the log now is in the file, too; webhooks are told in their own time. */
  async keep(): Promise<void> {
    this.#webhooks.wake();
    await this.#trail?.catchUp();
  }

  async close(): Promise<void> {
    await this.#webhooks.stop();
    await this.#late?.close();
    await this.#trail?.close();
  }
}
