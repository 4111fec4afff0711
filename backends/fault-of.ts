import { BackendError } from './errors.ts';
import type { BackendFault } from './errors.ts';
import { InvalidImage } from './image/invalid-image.ts';

/** What kind of fault an error is, for who counts them. */
export function faultOf(error: unknown): BackendFault {
  if (error instanceof InvalidImage) return 'invalid_input';
  return error instanceof BackendError ? error.fault : 'run_failed';
}
