/** Why a load or unload was refused. */
export type RepositoryFault =
  /** The repository is not under explicit control. */
  | 'not_allowed'
  /** The model is not there, or could not be loaded. */
  | 'failed'
  /** Somebody needs a version that would be gone. */
  | 'in_use'
  /** The configuration of the load uses a model that whoever asks for it may not. */
  | 'forbidden'
  /** The request itself can't be granted, whatever the repository holds. */
  | 'invalid';

/** The only error that {@link ModelRepository.load} and `unload` answer with; the messages begin as Triton's do. */
export class RepositoryError extends Error {
  readonly fault: RepositoryFault;

  constructor(fault: RepositoryFault, message: string) {
    super(message);
    this.name = 'RepositoryError';
    this.fault = fault;
  }
}
