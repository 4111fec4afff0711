import { Callers } from './callers.ts';
import { until } from './finding.ts';
import type { Finding, Recovery } from './finding.ts';
import type { GatewayProcess } from './gateway-process.ts';
import type { CountOutcomes } from './lost-outcomes.ts';

/** Predictions before a fault, and after it, so that there is something to lose and something to see. */
const BEFORE = 60;
const AFTER = 60;
const OUTCOMES_AFTER = 20;

export interface UnderFault {
  /** Lets the fault happen; resolves when it is over, at the moment from which recovery counts. */
  readonly strike: (callers: Callers) => Promise<void>;
  /** What else has to be as before again; callers go on until it is. */
  readonly whole?: {
    readonly what: string;
    /** @param overMs when the fault was over */
    holds(callers: Callers, overMs: number): boolean | Promise<boolean>;
  };
  /** Left out: the store is never away without the gateway. */
  readonly countOutcomes?: CountOutcomes;
  /** Looks at what is left when all is as before. */
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
  { strike, whole, countOutcomes, check, alsoLost, mayEnd }: UnderFault,
): Promise<Finding> {
  await using callers = new Callers(gateway.url);
  await callers.more(BEFORE);
  const sinceMs = performance.now();
  // Recovery is counted from the end of the fault: what failed before it is the fault itself.
  await strike(callers);
  const overMs = performance.now();
  const recovery: Recovery[] = [];
  if (whole !== undefined) {
    const { what } = whole;
    await until(what, () => whole.holds(callers, overMs));
    recovery.push({ what, afterMs: performance.now() - overMs });
  }
  await callers.more(AFTER);
  await callers.moreOutcomes(OUTCOMES_AFTER);
  await callers.stop();
  recovery.unshift(...callers.recovery(overMs));
  const problems = [...((await check?.(callers, sinceMs)) ?? [])];
  for (const [end, count] of callers.ends(sinceMs)) {
    if (end !== 200 && !mayEnd.includes(end)) problems.push(`${count} calls ended with ${end}`);
  }
  const lost = await callers.lostOutcomes(countOutcomes);
  if (lost > 0) problems.push(`${lost} acknowledged outcomes were lost`);
  const also = await alsoLost?.();
  return {
    fault,
    saw: callers.saw(sinceMs),
    lost: `${lost} of ${callers.acknowledged} acknowledged outcomes${also === undefined ? '' : `; ${also}`}`,
    recovery,
    problems,
  };
}
