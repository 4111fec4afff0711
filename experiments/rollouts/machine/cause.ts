import type { Finding } from '../judgement.ts';
import type { FaultKind, RolloutPlan } from '../plan.ts';
import type { Cause, CauseCode } from '../state.ts';
import type { OwnEvent } from './event.ts';

export function causeOf(code: CauseCode, message: string): Cause {
  return { code, message };
}

/** What a finding is called as a cause. */
export function codeOf({ source }: Finding): CauseCode {
  return source === 'units' ? 'no_data' : source;
}

const FAULT_TEXTS: Readonly<Record<FaultKind, string>> = {
  error: 'requests in a row failed',
  timeout: 'requests in a row timed out',
  nan: 'answers in a row had a value that is not finite',
  worker_death: 'workers died',
  out_of_memory: 'times memory ran out',
};

export function hardFloorCause(
  { variant }: RolloutPlan,
  { fault, count }: Extract<OwnEvent, { readonly kind: 'hard_floor' }>,
): Cause {
  return causeOf('hard_floor', `${variant}: ${count} ${FAULT_TEXTS[fault]}`);
}

export function secondsText(ms: number): string {
  return ms < 10_000 ? `${ms / 1000} s` : `${Math.round(ms / 1000)} s`;
}
