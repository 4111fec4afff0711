import { GatewayError } from '../errors.ts';

/** Why a request was turned away, as the metrics count it. */
export type Shed = 'wait' | 'event_loop' | 'heap' | 'bodies';

/** An estimate of more than that says that there is none. */
const LONGEST_RETRY_AFTER_S = 60;

/** @param retryAfterMs when another try may succeed; undefined where that can't be told */
export function overloaded(why: string, retryAfterMs: number | undefined): GatewayError {
  const seconds = Math.min(LONGEST_RETRY_AFTER_S, Math.max(1, Math.ceil((retryAfterMs ?? 0) / 1000)));
  return new GatewayError('overloaded', `there is too much to do: ${why}; try again in ${seconds} s`, {
    headers: { 'retry-after': String(seconds) },
  });
}
