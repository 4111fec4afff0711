import type { Choice } from '../../experiments/decision.ts';

/** Whom a call was routed to. */
export const ROUTED_TO = 'x-experiment';

/** Why it was routed there. */
export const ROUTED_WHY = 'x-experiment-reason';

/** Both, by lower-case header names. */
export function routedHeaders({
  experiment,
  variant,
  reason,
}: Pick<Choice, 'experiment' | 'variant' | 'reason'>): Readonly<Record<string, string>> {
  return { [ROUTED_TO]: `${experiment.key}=${variant.name}`, [ROUTED_WHY]: reason };
}
