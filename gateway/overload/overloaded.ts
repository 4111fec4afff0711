import { GatewayError } from '../errors.ts';

/** Why a request was turned away, as the metrics count it. */
export type Shed = 'wait' | 'event_loop' | 'heap' | 'bodies';

/** An estimate of more than that says that there is none. */
const LONGEST_RETRY_AFTER_S = 60;

/** There is too much to do. */
class Overloaded extends GatewayError {
  /** @param retryAfterMs when another try may succeed; undefined where that can't be told */
  constructor(why: string, retryAfterMs: number | undefined) {
    const seconds = Math.min(LONGEST_RETRY_AFTER_S, Math.max(1, Math.ceil((retryAfterMs ?? 0) / 1000)));
    super('overloaded', `there is too much to do: ${why}; try again in ${seconds} s`, {
      headers: { 'retry-after': String(seconds) },
    });
  }
}

/** Too much waits for one version, whatever the rest of the process has to do. */
export class QueueTooLong extends Overloaded {}

/**
 * The whole process has too much to do.
 *
 * @param retryAfterMs when another try may succeed; undefined where that can't be told
 */
export function overloaded(why: string, retryAfterMs: number | undefined): GatewayError {
  return new Overloaded(why, retryAfterMs);
}
