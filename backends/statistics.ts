import type { BackendFault } from './errors.ts';

/** How often something happened, and how long it took in all. */
export interface DurationStat {
  readonly count: number;
  /** Whole nanoseconds. */
  readonly ns: number;
}

/** What running a model once took, in milliseconds. */
export interface ExecutionTimes {
  /** To gather the requests' inputs into one batch. */
  readonly inputMs: number;
  /** In the model itself. */
  readonly inferMs: number;
  /** From the model's end to outputs that can be handed out. */
  readonly outputMs: number;
}

/** Why a request that fits its model wasn't answered: turned away by the queue's rules, given up by its caller, failed in the model, or else. */
export type FailureReason = 'rejected' | 'cancelled' | 'backend' | 'other';

type ExecutionStats = Readonly<Record<'computeInput' | 'computeInfer' | 'computeOutput', DurationStat>>;

/** What a version has done since it was loaded, in the terms of Triton's statistics extension. */
export interface VersionStatistics {
  /** When the model last ran, in milliseconds since 1970; 0: never. */
  readonly lastInferenceEpochMs: number;
  /** Rows that the model has run. */
  readonly inferences: number;
  /** Runs of the model. */
  readonly executions: number;
  /** Requests that were answered, from their arrival at the version to their answer. */
  readonly success: DurationStat;
  /** Requests that fit the model and weren't answered. */
  readonly fail: DurationStat;
  /** The same, by why; they add up to `fail.count`. */
  readonly failures: Readonly<Record<FailureReason, number>>;
  /** Answered requests' time in the queue. */
  readonly queue: DurationStat;
  /** Requests that a kept answer served, and the time to find it; left out: the model has no cache. */
  readonly cacheHit?: DurationStat;
  /** Requests that were run, and the time to look for an answer before and to keep it afterwards. */
  readonly cacheMiss?: DurationStat;
  /** Counted once for each request that was in a run. */
  readonly requests: ExecutionStats;
  /** Counted once for each run, by its rows, ascending. The rows times the counts add up to `inferences`. */
  readonly batches: readonly (ExecutionStats & { readonly rows: number })[];
}

/** Counts one version's work: plain sums, as they are added to for every request. */
export class StatisticsRecorder {
  #lastInferenceEpochMs = 0;
  readonly #success = new Duration();
  readonly #fail = new Duration();
  readonly #failures = { rejected: 0, cancelled: 0, backend: 0, other: 0 };
  readonly #queue = new Duration();
  readonly #requests = new Execution();
  readonly #batches = new Map<number, Execution>();

  /** The model ran a batch of so many requests and rows to its end. */
  recordExecution(requests: number, rows: number, times: ExecutionTimes): void {
    this.#lastInferenceEpochMs = Date.now();
    this.#requests.add(requests, times);
    let batch = this.#batches.get(rows);
    if (batch === undefined) {
      batch = new Execution();
      this.#batches.set(rows, batch);
    }
    batch.add(1, times);
  }

  recordSuccess(totalMs: number, queueMs: number): void {
    this.#success.add(1, totalMs);
    this.#queue.add(1, queueMs);
  }

  /** A request that doesn't fit the model is its caller's mistake, and isn't counted. */
  recordFailure(fault: BackendFault, totalMs: number): void {
    if (fault === 'invalid_input') return;
    this.#fail.add(1, totalMs);
    this.#failures[REASONS[fault]] += 1;
  }

  read(): VersionStatistics {
    const batches = [...this.#batches]
      .sort(([a], [b]) => a - b)
      .map(([rows, execution]) => ({ rows, ...execution.read() }));
    return {
      lastInferenceEpochMs: this.#lastInferenceEpochMs,
      inferences: batches.reduce((sum, { rows, computeInfer }) => sum + rows * computeInfer.count, 0),
      executions: batches.reduce((sum, { computeInfer }) => sum + computeInfer.count, 0),
      success: this.#success.read(),
      fail: this.#fail.read(),
      failures: { ...this.#failures },
      queue: this.#queue.read(),
      requests: this.#requests.read(),
      batches,
    };
  }
}

const REASONS: Readonly<Record<Exclude<BackendFault, 'invalid_input'>, FailureReason>> = {
  queue_full: 'rejected',
  threads_busy: 'rejected',
  queue_timeout: 'rejected',
  deadline_unreachable: 'rejected',
  expired_in_queue: 'rejected',
  cancelled: 'cancelled',
  expired_in_run: 'backend',
  run_failed: 'backend',
  crash_suspect: 'other',
  unavailable: 'other',
};

class Duration {
  #count = 0;
  #ms = 0;

  add(count: number, ms: number): void {
    this.#count += count;
    this.#ms += count * ms;
  }

  read(): DurationStat {
    return { count: this.#count, ns: Math.round(this.#ms * 1e6) };
  }
}

class Execution {
  readonly #input = new Duration();
  readonly #infer = new Duration();
  readonly #output = new Duration();

  add(count: number, { inputMs, inferMs, outputMs }: ExecutionTimes): void {
    this.#input.add(count, inputMs);
    this.#infer.add(count, inferMs);
    this.#output.add(count, outputMs);
  }

  read(): ExecutionStats {
    return {
      computeInput: this.#input.read(),
      computeInfer: this.#infer.read(),
      computeOutput: this.#output.read(),
    };
  }
}
