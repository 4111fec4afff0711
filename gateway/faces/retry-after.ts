import { BackendError } from '../../backends/errors.ts';
import type { GatewayError } from '../errors.ts';

/** Seconds; an estimate of more than that says that there is none. */
const LONGEST_RETRY_AFTER = 60;

/** What an error says beside its message, by lower-case names; of a 503, when to come again too: at least a second. */
export function errorHeaders(error: GatewayError): Readonly<Record<string, string>> {
  if (error.status !== 503 || error.headers['retry-after'] !== undefined) return error.headers;
  return { ...error.headers, 'retry-after': retryAfterSeconds(error) };
}

/** Whole seconds, at least one and at most {@link LONGEST_RETRY_AFTER}: what the backend expects of its queue, where it can tell. */
function retryAfterSeconds({ cause }: GatewayError): string {
  const afterMs = cause instanceof BackendError ? (cause.retryAfterMs ?? 0) : 0;
  return String(Math.min(LONGEST_RETRY_AFTER, Math.max(1, Math.ceil(afterMs / 1000))));
}
