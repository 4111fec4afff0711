import { difference, effectiveUnitsToBelieve } from '../../experiments/statistics/estimates/comparison.ts';
import type { Comparison } from '../../experiments/statistics/estimates/comparison.ts';
import { confidenceSequence } from '../../experiments/statistics/sequential/confidence-sequence.ts';
import type { Anytime } from '../../experiments/statistics/sequential/confidence-sequence.ts';

/** The error that the sequences are made for. */
export const ALPHA = 0.05;

export const TUNING = { plannedTime: 10_000, alpha: ALPHA };

/** The sequence of a difference, as results show it; undefined where too few units are compared to believe one. */
export function believedSequence(comparison: Comparison | undefined): Anytime | undefined {
  if (comparison === undefined || comparison.effectiveUnits < effectiveUnitsToBelieve(comparison))
    return undefined;
  return confidenceSequence(difference(comparison), comparison.effectiveUnits, ALPHA, TUNING);
}

/** Whether the sequence says that there is a difference. */
export function isAlarm(comparison: Comparison | undefined): boolean {
  const sequence = believedSequence(comparison);
  return sequence !== undefined && sequence.p < ALPHA;
}
