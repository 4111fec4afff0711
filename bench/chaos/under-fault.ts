import { Callers } from './callers.ts';
import type { Finding } from './finding.ts';
import type { GatewayProcess } from './gateway-process.ts';

/** Predictions before a fault, and after it, so that there is something to lose and something to see. */
const BEFORE = 60;
const AFTER = 60;

export interface UnderFault {
  /** Lets the fault happen; resolves when it is over, at the moment from which recovery counts. */
  readonly strike: (callers: Callers) => Promise<void>;
  /** Looks at what is left when callers are answered again. */
  readonly check?: (callers: Callers, sinceMs: number) => Promise<readonly string[]>;
  /** What is told beside the acknowledged outcomes. */
  readonly alsoLost?: () => Promise<string>;
  /** Ends of predictions that the fault may bring beside 200; others are problems. */
  readonly mayEnd: readonly (number | 'reset')[];
}

/** A gateway under callers while something breaks. */
export async function underFault(
  fault: string,
  gateway: Pick<GatewayProcess, 'url'>,
  { strike, check, alsoLost, mayEnd }: UnderFault,
): Promise<Finding> {
  await using callers = new Callers(gateway.url);
  await callers.more(BEFORE);
  const sinceMs = performance.now();
  // Recovery is counted from the end of the fault: what failed before it is the fault itself.
  await strike(callers);
  const overMs = performance.now();
  await callers.more(AFTER);
  await callers.stop();
  const problems = [...((await check?.(callers, sinceMs)) ?? [])];
  for (const [end, count] of callers.ends(sinceMs)) {
    if (end !== 200 && !mayEnd.includes(end)) problems.push(`${count} calls ended with ${end}`);
  }
  const lost = await callers.lostOutcomes();
  if (lost > 0) problems.push(`${lost} acknowledged outcomes were lost`);
  const lastMs = callers.lastFailureMs(overMs);
  const also = await alsoLost?.();
  return {
    fault,
    saw: callers.saw(sinceMs),
    lost: `${lost} of ${callers.acknowledged} acknowledged outcomes${also === undefined ? '' : `; ${also}`}`,
    recoveryMs: lastMs === undefined ? undefined : lastMs - overMs,
    problems,
  };
}
