import { Worker } from 'node:worker_threads';
import type { CountedMetric } from '../counted-metric.ts';
import type { MirrorBatch } from '../mirror/mirror-fields.ts';
import type { MirrorTally } from '../mirror/mirror-tally.ts';
import type { ExposureBatch, Outcome, OutcomeStatus, Scope } from './ledger.ts';
import type { FromSqliteWorker, SqliteRequest, ToSqliteWorker } from './sqlite-messages.ts';
import { LeaseLost, StoreUnavailable } from './state-store.ts';
import type { AuditEntry, Landed, Lease, StateStore, Versioned, WriteOptions } from './state-store.ts';
import type { Tallies } from './tallies.ts';

interface Waiting {
  resolve(result: unknown): void;
  reject(error: StoreUnavailable): void;
}

/**
 * Keeps the state in one SQLite file, for one process on one machine. A worker thread has the file; what it answered
 * survives the death of the process at any moment (not a power cut: see `openSchema`).
 */
export class SqliteStore implements StateStore {
  readonly kind = 'sqlite';
  readonly #file: string;
  #worker: Worker;
  #lastId = 0;
  readonly #waiting = new Map<number, Waiting>();
  readonly #watchers = new Map<string, Set<() => void>>();
  /** `lost`: the thread has died, and the next call has it replaced. */
  #state: 'open' | 'lost' | 'replacing' | 'closed' = 'open';
  #exited: Promise<void>;

  /**
   * Opens the file, or makes it.
   *
   * @throws Error with the reason why it can't be opened
   */
  static async open(file: string): Promise<SqliteStore> {
    return new SqliteStore(file, await startWorker(file));
  }

  private constructor(file: string, worker: Worker) {
    this.#file = file;
    this.#worker = worker;
    this.#exited = this.#adopt(worker);
  }

  readDocument(key: string): Promise<Versioned | undefined> {
    return this.#ask({ kind: 'readDocument', key });
  }

  async writeDocument(
    key: string,
    value: unknown,
    expectedVersion: number,
    { fence, audit = [] }: WriteOptions = {},
  ): Promise<number | undefined> {
    const version = await this.#ask<number | 'lease lost' | undefined>({
      kind: 'writeDocument',
      key,
      json: JSON.stringify(value),
      expectedVersion,
      fence,
      auditJson: audit.map((entry) => JSON.stringify(entry)),
    });
    if (version === 'lease lost') throw new LeaseLost(fence?.lease ?? '');
    if (version !== undefined) for (const onChange of this.#watchers.get(key) ?? []) onChange();
    return version;
  }

  /** Only this process' writes are told: the file has no other writers. */
  watchDocument(key: string, onChange: () => void): () => void {
    const watchers = this.#watchers.get(key) ?? new Set();
    this.#watchers.set(key, watchers.add(onChange));
    return () => watchers.delete(onChange);
  }

  claim(key: string, ttlMs: number): Promise<boolean> {
    return this.#ask({ kind: 'claim', key, ttlMs });
  }

  appendAudit(entry: unknown): Promise<number> {
    return this.#ask({ kind: 'appendAudit', json: JSON.stringify(entry) });
  }

  readAudit(after: number, limit: number): Promise<readonly AuditEntry[]> {
    return this.#ask({ kind: 'readAudit', after, limit });
  }

  auditLength(): Promise<number> {
    return this.#ask({ kind: 'auditLength' });
  }

  nowMs(): number {
    return Date.now();
  }

  acquireLease(name: string, holder: string, ttlMs: number): Promise<Lease | undefined> {
    return this.#ask({ kind: 'acquireLease', name, holder, ttlMs });
  }

  leaseHolder(name: string): Promise<string | undefined> {
    return this.#ask({ kind: 'leaseHolder', name });
  }

  releaseLease(name: string, holder: string): Promise<void> {
    return this.#ask({ kind: 'releaseLease', name, holder });
  }

  recordExposures(batch: ExposureBatch): Promise<void> {
    return this.#ask({ kind: 'recordExposures', batch });
  }

  recordOutcomes(outcomes: readonly Outcome[]): Promise<readonly OutcomeStatus[]> {
    return this.#ask({ kind: 'recordOutcomes', outcomes });
  }

  async tallies(
    experiment: string,
    phase: number,
    metrics: readonly CountedMetric[],
    nowMs: number,
  ): Promise<Tallies> {
    // Apart, so that what others write gets its turn between them.
    while (await this.#ask<boolean>({ kind: 'closeWindows', experiment, phase, metrics, nowMs }));
    return this.#ask({ kind: 'tallies', experiment, phase });
  }

  recordMirrors(batch: MirrorBatch): Promise<void> {
    return this.#ask({ kind: 'recordMirrors', batch });
  }

  mirrors(experiment: string, phase: number): Promise<readonly MirrorTally[]> {
    return this.#ask({ kind: 'mirrors', experiment, phase });
  }

  land(scope: Scope, unitHash: number, variant: string, keepers: readonly string[]): Promise<Landed> {
    return this.#ask({ kind: 'land', scope, unitHash, variant, keepers });
  }

  async close(): Promise<void> {
    if (this.#state === 'open') this.#tell({ close: true });
    this.#state = 'closed';
    await this.#exited;
  }

  /** The result is what the worker's `answer` gives for that request. */
  #ask<Result>(request: SqliteRequest): Promise<Result> {
    if (this.#state !== 'open') {
      if (this.#state === 'lost') this.#restart();
      return Promise.reject(new StoreUnavailable(`the state's file ${this.#file} is not open`));
    }
    const id = ++this.#lastId;
    return new Promise<Result>((resolve, reject) => {
      this.#waiting.set(id, {
        resolve: (result) => {
          resolve(result as Result);
        },
        reject,
      });
      this.#tell({ id, request });
    });
  }

  #tell(message: ToSqliteWorker): void {
    this.#worker.postMessage(message);
  }

  /** @returns resolves when the worker is gone */
  #adopt(worker: Worker): Promise<void> {
    worker.on('message', (message: FromSqliteWorker) => {
      if (message.kind !== 'done' && message.kind !== 'failed') return;
      const waiting = this.#waiting.get(message.id);
      this.#waiting.delete(message.id);
      if (message.kind === 'done') waiting?.resolve(message.result);
      else waiting?.reject(new StoreUnavailable(`the state's file ${this.#file}: ${message.reason}`));
    });
    let reason = 'its thread ended';
    worker.on('error', (error) => {
      reason = error instanceof Error ? error.message : String(error);
    });
    return new Promise((resolve) => {
      worker.once('exit', () => {
        if (this.#state === 'open') this.#state = 'lost';
        const error = new StoreUnavailable(`the state's file ${this.#file}: ${reason}`);
        for (const waiting of this.#waiting.values()) waiting.reject(error);
        this.#waiting.clear();
        resolve();
      });
    });
  }

  /** A thread that died, out of memory as may be, is replaced; calls are refused until it is there. */
  #restart(): void {
    this.#state = 'replacing';
    void startWorker(this.#file).then(
      (worker) => {
        this.#worker = worker;
        this.#exited = this.#adopt(worker);
        // The store may have been closed while the thread started.
        if (this.#state === 'replacing') this.#state = 'open';
        else this.#tell({ close: true });
      },
      () => {
        if (this.#state === 'replacing') this.#state = 'lost';
      },
    );
  }
}

function startWorker(file: string): Promise<Worker> {
  const worker = new Worker(new URL('./sqlite-worker.ts', import.meta.url), { workerData: { file } });
  return new Promise((resolve, reject) => {
    const refuse = (reason: string): void => {
      reject(new Error(`the state's file ${file} can't be opened: ${reason}`));
    };
    worker.once('message', (message: FromSqliteWorker) => {
      if (message.kind === 'open') resolve(worker);
      else if (message.kind === 'refused') refuse(message.reason);
    });
    worker.once('error', (error) => {
      refuse(error instanceof Error ? error.message : String(error));
    });
  });
}
