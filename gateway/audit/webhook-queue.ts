import { setTimeout } from 'node:timers/promises';
import type { Logger } from 'pino';
import type {
  AuditEntry,
  AuditLog,
  Documents,
  Fence,
  SharedClock,
} from '../../experiments/stores/state-store.ts';
import { LeaseLost, StoreUnavailable } from '../../experiments/stores/state-store.ts';
import type { WebhookConfig } from '../config/webhook-config.ts';
import { fetchWithCredentials } from '../fetch-with-credentials.ts';
import { RELEASE } from '../release.ts';
import { AT_THE_BEGINNING, cursorToBeginWith, cursorOf, readAfter, readCursor } from './audit-cursor.ts';
import type { AuditCursor } from './audit-cursor.ts';
import { readAuditEvent } from './audit-event.ts';
import { wants, webhookMessage } from './webhook-message.ts';
import type { WebhookMessage } from './webhook-message.ts';

/** With the doubling below, a receiver may be away for some four minutes before an event is given up. */
const MAX_TRIES = 10;
const RETRY_FIRST_MS = 1000;
const RETRY_MOST_MS = 60_000;
/** Entries that are read at once. */
const READ_AT_ONCE = 100;

/** How a delivery ended, or that it is tried again. */
export type DeliveryResult = 'ok' | 'retried' | 'failed';

export interface WebhookQueueOptions {
  readonly webhook: WebhookConfig;
  readonly store: AuditLog & Documents & SharedClock;
  /** The right to deliver, which one of many replicas has; undefined: another one delivers. */
  readonly fence: () => Fence | undefined;
  readonly onResult: (result: DeliveryResult) => void;
  readonly log: Logger;
  readonly firstRetryMs?: number;
}

/**
 * Tells one webhook of what the audit log has, in its order, each at least once. How far it came is kept in the state store: a
 * process that dies, or a leader that another one follows, costs nothing. It begins with what happens after it was configured.
 */
export class WebhookQueue {
  readonly #options: WebhookQueueOptions;
  readonly #key: string;
  readonly #stopped = new AbortController();
  #running: Promise<void> = Promise.resolve();
  #isRunning = false;
  #isWoken = false;

  constructor(options: WebhookQueueOptions) {
    this.#options = options;
    this.#key = `webhook:${options.webhook.name}`;
  }

  /** Looks whether there is something to tell; to be called when the log has grown, and when this process begins to lead. */
  wake(): void {
    this.#isWoken = true;
    if (this.#isRunning || this.#stopped.signal.aborted) return;
    this.#isRunning = true;
    this.#running = this.#run().finally(() => {
      this.#isRunning = false;
    });
  }

  /** Ends it; what has not been told is told by whoever leads next. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { log, webhook } = this.#options;
    try {
      while (this.#isWoken && !this.#stopped.signal.aborted) {
        this.#isWoken = false;
        await this.#deliverAll();
      }
    } catch (error) {
      // The next look goes on where this one ended.
      if (error instanceof StoreUnavailable || error instanceof LeaseLost || this.#stopped.signal.aborted)
        return;
      log.error({ err: error, webhook: webhook.name }, 'a webhook could not be told');
    }
  }

  async #deliverAll(): Promise<void> {
    const { store, fence } = this.#options;
    if (fence() === undefined) return;
    let { cursor, version } = await this.#readCursor();
    for (;;) {
      const { entries, isNewLog } = await readAfter(store, cursor, READ_AT_ONCE);
      if (isNewLog) cursor = AT_THE_BEGINNING;
      if (entries.length === 0) return;
      for (const entry of entries) {
        // Who was stopped past its lease while it read would tell what another one has told since.
        if (fence() === undefined) return;
        await this.#deliver(entry);
        const held = fence();
        // Another one leads meanwhile, and tells it again at worst.
        if (held === undefined) return;
        cursor = cursorOf(entry);
        const written = await store.writeDocument(this.#key, cursor, version, { fence: held });
        if (written === undefined) return;
        version = written;
      }
    }
  }

  async #readCursor(): Promise<{ readonly cursor: AuditCursor; readonly version: number }> {
    const { store, fence } = this.#options;
    const kept = await store.readDocument(this.#key);
    if (kept !== undefined) return { cursor: readCursor(kept.value), version: kept.version };
    const cursor = await cursorToBeginWith(store, store.nowMs());
    const held = fence();
    const version = await store.writeDocument(this.#key, cursor, 0, held && { fence: held });
    return { cursor, version: version ?? 0 };
  }

  async #deliver(numbered: AuditEntry): Promise<void> {
    const { webhook, onResult, log, firstRetryMs = RETRY_FIRST_MS } = this.#options;
    const { sequence, entry } = numbered;
    const event = readAuditEvent(entry);
    if (event === undefined || !wants(webhook, event.action)) return;
    const message = webhookMessage(webhook, event, sequence);
    for (let tries = 1; ; tries++) {
      const answer = await this.#post(message);
      if (answer.kind === 'taken') {
        onResult('ok');
        return;
      }
      const told = { webhook: webhook.name, sequence, event: event.action, fault: answer.fault, tries };
      if (answer.kind === 'refused' || tries === MAX_TRIES) {
        onResult('failed');
        log.error(told, 'a webhook was not told of an event, which is given up');
        return;
      }
      onResult('retried');
      log.warn(told, 'a webhook did not take an event; it is tried again');
      const delayMs = Math.min(firstRetryMs * 2 ** (tries - 1), RETRY_MOST_MS);
      await setTimeout(Math.max(delayMs, answer.retryAfterMs), undefined, { signal: this.#stopped.signal });
    }
  }

  async #post({ body, headers }: WebhookMessage): Promise<PostAnswer> {
    const { url, timeoutMs } = this.#options.webhook;
    try {
      const response = await fetchWithCredentials(url, {
        method: 'POST',
        body,
        headers: { ...headers, 'user-agent': `signalbox/${RELEASE}` },
        redirect: 'manual',
        signal: AbortSignal.any([AbortSignal.timeout(timeoutMs), this.#stopped.signal]),
      });
      await response.body?.cancel();
      if (response.ok) return { kind: 'taken' };
      const fault = `it answers ${response.status}`;
      if (!isWorthRetrying(response.status)) return { kind: 'refused', fault };
      const retryAfterMs = Math.min(1000 * Number(response.headers.get('retry-after') ?? 0), RETRY_MOST_MS);
      return { kind: 'away', fault, retryAfterMs: Number.isNaN(retryAfterMs) ? 0 : retryAfterMs };
    } catch (error) {
      this.#stopped.signal.throwIfAborted();
      // The cause is the network's own words; the address stays out of the log.
      const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
      const fault =
        cause instanceof Error && 'code' in cause ? String(cause.code) : 'it does not answer in time';
      return { kind: 'away', fault, retryAfterMs: 0 };
    }
  }
}

type PostAnswer =
  | { readonly kind: 'taken' }
  /** It will never take it. */
  | { readonly kind: 'refused'; readonly fault: string }
  | { readonly kind: 'away'; readonly fault: string; readonly retryAfterMs: number };

function isWorthRetrying(status: number): boolean {
  return status >= 500 || status === 408 || status === 425 || status === 429;
}
