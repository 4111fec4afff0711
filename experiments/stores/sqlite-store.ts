import { access, chmod, constants, realpath, stat } from 'node:fs/promises';
import { Worker } from 'node:worker_threads';
import type { CountedMetric } from '../counted-metric.ts';
import type { MirrorBatch } from '../mirror/mirror-fields.ts';
import type { MirrorTally } from '../mirror/mirror-tally.ts';
import type { ExposureBatch, Outcome, OutcomeStatus, Scope } from './ledger.ts';
import { FileLock, createPrivate } from './file-lock.ts';
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
  readonly #lock: FileLock | undefined;
  #worker: Worker;
  #lastId = 0;
  readonly #waiting = new Map<number, Waiting>();
  readonly #watchers = new Map<string, Set<() => void>>();
  /** `lost`: the thread has died, and the next call has it replaced. */
  #state: 'open' | 'lost' | 'replacing' | 'closed' = 'open';
  #exited: Promise<void>;

  /**
   * Opens the file, or makes it; nobody but its owner and group may read it, as it has secrets in it.
   *
   * @param isServing whether this is the gateway whose state it is: there is one at a time, as another one would not learn of its changes
   * @throws Error with the reason why it can't be opened
   */
  static async open(file: string, { isServing = false } = {}): Promise<SqliteStore> {
    const lock = await prepareFile(file, isServing);
    try {
      return new SqliteStore(file, await startWorker(file), lock);
    } catch (error) {
      lock?.release();
      throw error;
    }
  }

  private constructor(file: string, worker: Worker, lock: FileLock | undefined) {
    this.#file = file;
    this.#lock = lock;
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

  landing(scope: Scope, unitHash: number): Promise<string | undefined> {
    return this.#ask({ kind: 'landing', scope, unitHash });
  }

  async close(): Promise<void> {
    if (this.#state === 'open') this.#tell({ close: true });
    this.#state = 'closed';
    await this.#exited;
    this.#lock?.release();
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

/** @returns the lock of the gateway that serves */
async function prepareFile(file: string, isServing: boolean): Promise<FileLock | undefined> {
  let lock: FileLock | undefined;
  try {
    await createPrivate(file);
    await Promise.all([file, `${file}-wal`, `${file}-shm`].map(hideFromOthers));
    if (!isServing) return undefined;
    // SQLite opens what it may only read as well, and its locks hold nobody off then.
    await access(file, constants.W_OK);
    // Two names of one file are one state.
    lock = await FileLock.acquire(`${await realpath(file)}-lock`);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`the state's file ${file} can't be opened: ${reason}`, { cause });
  }
  if (lock !== undefined) return lock;
  throw new Error(
    `the state's file ${file} is another gateway's, which is running: of two, neither would learn what is changed at the other. ` +
      'Stop that one, name another file in `state`, or give both the same Redis: state: redis://…',
  );
}

/** What an earlier release made could be read by everybody; a file of somebody else's is left as it is. */
async function hideFromOthers(file: string): Promise<void> {
  const found = await stat(file).catch(() => undefined);
  if (found === undefined || (found.mode & 0o007) === 0) return;
  await chmod(file, found.mode & 0o770).catch(() => undefined);
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
