import { daysToGo, minimumDetectableDifference, unitsNeeded } from '../power.ts';
import type { PowerQuestion } from '../power.ts';
import type { Tuning } from '../sequential/confidence-sequence.ts';
import type { MetricResult } from './results.ts';

/** What is known of an effect's precision now, and at what pace it grows. */
export interface Precision {
  readonly effectiveUnits: number;
  readonly standardError: number;
  /** What is seen now, in the unit of the standard error. */
  readonly estimate: number;
  /** What is worth finding, in the unit of the standard error, > 0. */
  readonly minimumDifference: number;
  /** Effective units before which a sequence may not be believed. */
  readonly effectiveUnitsToBelieve: number;
  /** Effective units that one unit of all variants brings, with the weights of now. */
  readonly effectivePerUnit: number;
}

/** The level, the wished power, and today's traffic. */
export interface Plan {
  readonly alpha: number;
  readonly power: number;
  readonly tuning: Tuning;
  readonly unitsPerDay?: number | undefined;
}

/**
 * How long an experiment still takes: until the minimum effect would be found with the wished power by the confidence sequence. Where
 * that has passed without a conclusion, until an effect as large as the one seen now would leave out zero.
 *
 * @returns the minimum detectable difference in the unit of the standard error, and what is to go
 */
export function forecast(
  precision: Precision,
  plan: Plan,
): {
  readonly minimumDetectable: number;
  readonly unitsToGo: number | null;
  readonly daysToGo: number | null;
} {
  const { effectiveUnits, standardError, estimate, minimumDifference, effectivePerUnit } = precision;
  // An equal split of effective units has this variance of one unit's value in each arm.
  const unitVariance = (standardError * standardError * effectiveUnits) / 4;
  const question: PowerQuestion = {
    controlVariance: unitVariance,
    variantVariance: unitVariance,
    controlShare: 0.5,
    variantShare: 0.5,
    alpha: plan.alpha,
    design: plan.tuning,
  };
  const minimumDetectable = minimumDetectableDifference(question, effectiveUnits, plan.power);
  const planned = unitsNeeded(question, minimumDifference, plan.power);
  const needed = planned > effectiveUnits ? planned : unitsNeeded(question, estimate, 0.5);
  const lacking = Math.max(needed, precision.effectiveUnitsToBelieve) - effectiveUnits;
  const unitsToGo =
    Number.isFinite(lacking) && effectivePerUnit > 0
      ? Math.ceil(Math.max(0, lacking) / effectivePerUnit)
      : null;
  const days = unitsToGo === null ? undefined : daysToGo(unitsToGo, plan.unitsPerDay ?? 0);
  return { minimumDetectable, unitsToGo, daysToGo: days ?? null };
}

/** The forecast of a metric of which nothing is known. */
export const NO_FORECAST: MetricResult['power'] = Object.freeze({
  minimumDetectableLift: null,
  unitsToGo: null,
  daysToGo: null,
});
