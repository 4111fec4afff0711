/** Why a backend gave no answer. */
export type BackendFault =
  /** The inputs don't fit the model: the caller's mistake. */
  | 'invalid_input'
  /** The queue has as many requests as it may hold. */
  | 'queue_full'
  /** As many jobs wait as may for the threads that all versions share. */
  | 'threads_busy'
  /** The request waited for as long as the queue policy lets it. */
  | 'queue_timeout'
  /** What waits before it, or what its run costs, leaves no time to answer it by its deadline or the latency target. */
  | 'deadline_unreachable'
  /** The deadline passed before the model was run. */
  | 'expired_in_queue'
  /** The deadline passed while the model ran. */
  | 'expired_in_run'
  /** The caller hung up. */
  | 'cancelled'
  /** The version is being unloaded, or its workers are gone. */
  | 'unavailable'
  /** The same request was running at two crashes of the process. */
  | 'crash_suspect'
  /** The model ran and failed. */
  | 'run_failed';

/** The run that a request failed in. */
export interface FailedRun {
  /** Milliseconds from the request's arrival to the start of its batch. */
  readonly queueMs: number;
  /** Milliseconds from there until it failed. */
  readonly computeMs: number;
  readonly batchId: number;
  readonly batchRows: number;
}

export interface BackendErrorOptions extends ErrorOptions {
  /** Left out: it failed before it was run, or the run is not known. */
  readonly run?: FailedRun | undefined;
  /** After how long another try may succeed, in milliseconds, where that can be told. */
  readonly retryAfterMs?: number | undefined;
}

/** The only error that backends answer a request with. */
export class BackendError extends Error {
  readonly fault: BackendFault;
  /** After how long another try may succeed, in milliseconds; undefined where that can't be told. */
  readonly retryAfterMs: number | undefined;
  readonly run: FailedRun | undefined;

  constructor(fault: BackendFault, message: string, options?: BackendErrorOptions) {
    super(message, options);
    this.name = 'BackendError';
    this.fault = fault;
    this.retryAfterMs = options?.retryAfterMs;
    this.run = options?.run;
  }
}
