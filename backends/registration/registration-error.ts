/** Why a model could not be registered. */
export type RegistrationFault =
  /** Control leaves nothing to requests. */
  | 'not_allowed'
  /** There is no such file in the repository's folders. */
  | 'unknown_file'
  /** What is asked for contradicts itself or what is there. */
  | 'invalid'
  /** The file is damaged, too large, or holds nothing that can be served. */
  | 'refused'
  /** The model has that version. */
  | 'exists'
  /** The folder can't be written, or the model can't be loaded. */
  | 'failed';

/** What registering a model is refused with; the message says what would be right. */
export class RegistrationError extends Error {
  readonly fault: RegistrationFault;

  constructor(fault: RegistrationFault, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'RegistrationError';
    this.fault = fault;
  }
}

export function refused(message: string, options?: ErrorOptions): RegistrationError {
  return new RegistrationError('refused', message, options);
}
