import type { Outcome, OutcomeStatus } from '../../experiments/stores/ledger.ts';
import { StoreUnavailable } from '../../experiments/stores/state-store.ts';
import type { Spool } from '../state/spool.ts';

export interface OutcomeWriterOptions {
  /** Counts them in the store. */
  readonly record: (outcomes: readonly Outcome[]) => Promise<readonly OutcomeStatus[]>;
  /** Where outcomes go while the store is away; undefined for a store that is never away without the process. */
  readonly spool: Spool<Outcome> | undefined;
  readonly log: { warn(fields: object, message: string): void; info(fields: object, message: string): void };
  readonly adoptEveryMs?: number;
}

/** Outcomes that wait for the store; a request with one more is refused. */
const MAX_WAITING = 20_000;

/** Outcomes that go to the store in one call. */
const OUTCOMES_A_CALL = 2000;

/** How long a store that was away is left alone, and how often what is on disk is offered to it. */
const RETRY_MS = 1000;

/** How often it is looked for what processes have left on disk that died beside this one. */
const ADOPT_MS = 60_000;

interface Waiting {
  readonly outcomes: readonly Outcome[];
  resolve(statuses: readonly OutcomeStatus[]): void;
  reject(error: StoreUnavailable): void;
}

/**
 * Writes outcomes to the state store, many requests' together while a call is under way. Where the store is away they are put on
 * disk, and are delivered when it is back.
 */
export class OutcomeWriter {
  readonly #options: OutcomeWriterOptions;
  #waiting: Waiting[] = [];
  #waitingOutcomes = 0;
  #writing: Promise<void> | undefined;
  /** Since a call failed. */
  #isAway = false;
  #timer: NodeJS.Timeout | undefined;
  #adoption: NodeJS.Timeout | undefined;
  #delivery: Promise<void> = Promise.resolve();
  #isDelivering = false;
  #isClosed = false;

  constructor(options: OutcomeWriterOptions) {
    this.#options = options;
  }

  /** Takes up what earlier processes left on disk. */
  async open(): Promise<void> {
    const { spool, log, adoptEveryMs = ADOPT_MS } = this.#options;
    if (spool === undefined) return;
    try {
      await spool.open();
    } catch (error) {
      log.warn(
        { reason: reasonOf(error) },
        'the folder `spool` can not be written: outcomes would be refused while the state store is away',
      );
    }
    if (spool.size > 0) this.#deliverSoon();
    this.#adoption = setInterval(() => {
      // A place that can't be looked at now is looked at the next time.
      this.#delivery = this.#delivery.then(() => spool.adopt()).catch(() => undefined);
      void this.#delivery.then(() => {
        if (spool.size > 0) this.#deliverSoon();
      });
    }, adoptEveryMs).unref();
  }

  /** Outcomes that are on disk. */
  get spooled(): number {
    return this.#options.spool?.size ?? 0;
  }

  /**
   * Resolves when the outcomes are kept, each with what became of it; those on disk are `accepted` until the store says more.
   *
   * @throws StoreUnavailable when they can be kept nowhere
   */
  write(outcomes: readonly Outcome[]): Promise<readonly OutcomeStatus[]> {
    if (outcomes.length === 0) return Promise.resolve([]);
    if (this.#waitingOutcomes + outcomes.length > MAX_WAITING) {
      return Promise.reject(new StoreUnavailable(`${this.#waitingOutcomes} outcomes wait for the store`));
    }
    this.#waitingOutcomes += outcomes.length;
    return new Promise((resolve, reject) => {
      this.#waiting.push({ outcomes, resolve, reject });
      this.#writing ??= this.#writeAll();
    });
  }

  /** Writes what waits; what is on disk stays there for the next process. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    clearInterval(this.#adoption);
    await this.#writing;
    await this.#delivery;
    await this.#options.spool?.close();
  }

  async #writeAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      const requests = this.#take();
      const outcomes = requests.flatMap((request) => request.outcomes);
      try {
        const statuses = await this.#writeTogether(outcomes);
        let start = 0;
        for (const request of requests) {
          const end = start + request.outcomes.length;
          request.resolve(statuses.slice(start, end));
          start = end;
        }
      } catch (error) {
        const known = error instanceof StoreUnavailable ? error : new StoreUnavailable(reasonOf(error));
        for (const request of requests) request.reject(known);
      }
      this.#waitingOutcomes -= outcomes.length;
    }
    this.#writing = undefined;
  }

  #take(): readonly Waiting[] {
    let count = 0;
    let end = 0;
    for (const { outcomes } of this.#waiting) {
      if (end > 0 && count + outcomes.length > OUTCOMES_A_CALL) break;
      count += outcomes.length;
      end += 1;
    }
    return this.#waiting.splice(0, end);
  }

  async #writeTogether(outcomes: readonly Outcome[]): Promise<readonly OutcomeStatus[]> {
    const { record, spool, log } = this.#options;
    if (spool === undefined) return record(outcomes);
    if (!this.#isAway) {
      try {
        return await record(outcomes);
      } catch (error) {
        this.#isAway = true;
        log.warn({ reason: reasonOf(error) }, 'the state store is away; outcomes are kept on disk');
      }
    }
    // Also where the disk takes nothing: the store has to be tried again.
    this.#deliverSoon();
    await spool.append(outcomes);
    return outcomes.map(() => 'accepted');
  }

  #deliverSoon(): void {
    // The delivery under way looks at its end whether another one is due.
    if (this.#isClosed || this.#isDelivering) return;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#isDelivering = true;
      this.#delivery = this.#delivery.then(() => this.#deliver());
    }, RETRY_MS);
  }

  async #deliver(): Promise<void> {
    const { record, spool, log } = this.#options;
    if (spool === undefined) return;
    let isOver = false;
    try {
      const kept = spool.size;
      const unreadable = await spool.deliver(record);
      this.#isAway = false;
      isOver = spool.size === 0;
      if (kept > 0) log.info({ kept, unreadable }, 'the outcomes that were kept on disk are delivered');
    } catch {
      // What was not taken is offered again.
    }
    this.#isDelivering = false;
    if (!isOver) this.#deliverSoon();
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
