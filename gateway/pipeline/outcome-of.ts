import type { ErrorCode, GatewayError } from '../errors.ts';
import type { Outcome } from '../telemetry/metrics.ts';

/** The errors that are counted under a name of their own; the rest go by their status. */
const OUTCOMES: Partial<Record<ErrorCode, Outcome>> = {
  timeout: 'timeout',
  cancelled: 'cancelled',
  queue_full: 'shed',
  overloaded: 'shed',
  rate_limited: 'limited',
  quota_exceeded: 'limited',
  forbidden: 'denied',
  // The caller asked for what the gateway never does: no fault of the model or of the variant.
  unsupported: 'client_error',
  queue_timeout: 'timeout',
  deadline_unreachable: 'shed',
};

/** How a request that is refused so is counted. */
export function outcomeOf({ code, status }: GatewayError): Outcome {
  return OUTCOMES[code] ?? (status < 500 ? 'client_error' : 'error');
}
