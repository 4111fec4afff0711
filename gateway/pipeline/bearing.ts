import { BackendError } from '../../backends/errors.ts';
import type { BackendFault } from '../../backends/errors.ts';
import type { GatewayError } from '../errors.ts';
import { QueueTooLong } from '../overload/overloaded.ts';
import type { Outcome } from '../telemetry/metrics.ts';

/**
 * How a request ended, as far as that says something of the version that it was for. `shed`: the version's own queue turned it away. `none`: it says
 * nothing of the version, as where the whole process has too much to do, or the caller hung up.
 */
export type Bearing = 'ok' | 'client_error' | 'error' | 'timeout' | 'shed' | 'none';

/** What a version's own queue turns requests away for. */
const OF_ITS_QUEUE: readonly BackendFault[] = ['queue_full', 'deadline_unreachable'];

/** @param error undefined where it did not fail */
export function bearingOf(outcome: Outcome, error: GatewayError | undefined): Bearing {
  switch (outcome) {
    case 'ok':
    case 'client_error':
    case 'error':
    case 'timeout':
      return outcome;
    case 'shed':
      return error instanceof QueueTooLong || isOfItsQueue(error?.cause) ? 'shed' : 'none';
    case 'limited':
    case 'denied':
    case 'cancelled':
      return 'none';
  }
}

function isOfItsQueue(cause: unknown): boolean {
  return cause instanceof BackendError && OF_ITS_QUEUE.includes(cause.fault);
}
