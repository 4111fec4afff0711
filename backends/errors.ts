/** Why a backend gave no answer. */
export type BackendFault =
  /** The inputs don't fit the model: the caller's mistake. */
  | 'invalid_input'
  /** The queue has as many requests as it may hold. */
  | 'queue_full'
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

/** The only error that backends answer a request with. */
export class BackendError extends Error {
  readonly fault: BackendFault;

  constructor(fault: BackendFault, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'BackendError';
    this.fault = fault;
  }
}
