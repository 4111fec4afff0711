import { normalQuantile, normalTail } from './special/normal.ts';
import { findRoot } from './special/root.ts';
import type { Tuning } from './sequential/confidence-sequence.ts';
import { sequenceBoundary } from './sequential/confidence-sequence.ts';

/** Two arms and what is to be found out about them. */
export interface PowerQuestion {
  /** Of one unit's value; of a proportion p(1 - p). */
  readonly controlVariance: number;
  readonly variantVariance: number;
  /** The share of all units that each arm gets, 0 to 1; they need not sum to 1. */
  readonly controlShare: number;
  readonly variantShare: number;
  /** Two-sided, after it was split over arms and metrics. */
  readonly alpha: number;
  /** `fixed`: one look at the end. Otherwise looked at always, with the confidence sequence of this tuning. */
  readonly design: 'fixed' | Tuning;
}

/** Units stop being looked for beyond this. */
const MOST_UNITS = 1e15;

/**
 * How probable it is that a true difference is found by the time that there are `units` of all arms. With a confidence
 * sequence this is the probability at that moment; having looked before only adds to it, so it is a lower limit.
 *
 * Source: J. Cohen, "Statistical Power Analysis", 1988, chapter 2, for normal tests with unequal arms; the sequence's boundary takes the place
 * of the normal quantile.
 */
export function power(question: PowerQuestion, difference: number, units: number): number {
  const z = Math.abs(difference) / standardErrorAt(question, units);
  const critical = criticalAt(question, units);
  return normalTail(critical - z) + normalTail(critical + z);
}

/**
 * The smallest true difference that is found with probability `wanted` by the time that there are `units` of all arms.
 *
 * @param wanted 0 to 1, above alpha; 0.8 by custom
 */
export function minimumDetectableDifference(question: PowerQuestion, units: number, wanted: number): number {
  const reach = criticalAt(question, units) + normalQuantile(wanted);
  return reach * standardErrorAt(question, units);
}

/**
 * How many units of all arms it takes to find a true difference with probability `wanted`: a whole number, rounded up.
 *
 * @returns Infinity when no number of units would do, as for a difference of 0
 */
export function unitsNeeded(question: PowerQuestion, difference: number, wanted: number): number {
  const lacking = (logUnits: number): number =>
    minimumDetectableDifference(question, Math.exp(logUnits), wanted) / Math.abs(difference) - 1;
  if (!(lacking(Math.log(MOST_UNITS)) < 0)) return Infinity;
  if (lacking(0) <= 0) return 1;
  return Math.ceil(Math.exp(findRoot(lacking, 0, Math.log(MOST_UNITS), 1e-12)) * (1 - 1e-9));
}

/**
 * Days until that many units more have come.
 *
 * @param unitsPerDay new units a day, at today's traffic
 * @returns undefined when none come
 */
export function daysToGo(unitsToGo: number, unitsPerDay: number): number | undefined {
  return unitsPerDay > 0 ? unitsToGo / unitsPerDay : undefined;
}

function standardErrorAt(question: PowerQuestion, units: number): number {
  const { controlVariance, variantVariance, controlShare, variantShare } = question;
  return Math.sqrt((controlVariance / controlShare + variantVariance / variantShare) / units);
}

function criticalAt({ alpha, design, controlShare, variantShare }: PowerQuestion, units: number): number {
  if (design === 'fixed') return -normalQuantile(alpha / 2);
  const effective = (4 * units * controlShare * variantShare) / (controlShare + variantShare);
  return sequenceBoundary(effective, alpha, design);
}
