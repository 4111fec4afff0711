import { expectedExcess, normalCdf, normalQuantile } from '../special/normal.ts';
import type { Effect } from '../estimates/comparison.ts';
import type { Interval } from '../estimates/welch.ts';

/** What is believed of the relative lift before the data. `flat` believes nothing. */
export type LiftPrior = 'flat' | { readonly mean: number; readonly deviation: number };

/** The direction in which a metric gets better. */
export type Direction = 'increase' | 'decrease';

/** What is believed after the data. Like every posterior it doesn't hold an error rate when it is used to stop. */
export interface Posterior {
  /** The probability that the variant is better than control. */
  readonly chanceToWin: number;
  /** What is lost on average by shipping the variant: the mean of max(control - variant, 0), or the reverse where less is better. */
  readonly expectedLoss: number;
  /** What is lost on average by keeping control. */
  readonly expectedLossOfControl: number;
  /** Equal-tailed, at level 1 - alpha. */
  readonly interval: Interval;
}

/**
 * The normal posterior of an effect: a normal likelihood, as the central limit theorem gives it, and a normal or flat prior.
 *
 * Source: A. Gelman et al., "Bayesian Data Analysis", 3rd edition, section 2.5; GrowthBook's engine takes the same. The
 * expected loss: C. Stucchio, "Bayesian A/B testing at VWO", 2015.
 */
export function normalPosterior(
  effect: Effect,
  direction: Direction,
  alpha: number,
  prior: LiftPrior = 'flat',
): Posterior | undefined {
  if (!(effect.standardError > 0)) return undefined;
  const precision = effect.standardError ** -2;
  const priorPrecision = prior === 'flat' ? 0 : prior.deviation ** -2;
  const priorMean = prior === 'flat' ? 0 : prior.mean;
  const mean = (effect.estimate * precision + priorMean * priorPrecision) / (precision + priorPrecision);
  const deviation = (precision + priorPrecision) ** -0.5;
  const gain = direction === 'increase' ? mean : -mean;
  const reach = -normalQuantile(alpha / 2) * deviation;
  return {
    chanceToWin: normalCdf(gain / deviation),
    expectedLoss: expectedExcess(-gain, deviation),
    expectedLossOfControl: expectedExcess(gain, deviation),
    interval: [mean - reach, mean + reach],
  };
}
