import { sampleOfMean } from '../estimates/sample.ts';
import type { Sample } from '../estimates/sample.ts';
import { lessMultiple } from '../states/pair-state.ts';
import type { PairState } from '../states/pair-state.ts';
import { histogramSize, sortedBuckets, upperEdge } from '../states/log-histogram.ts';
import type { LogHistogram } from '../states/log-histogram.ts';
import { confidenceSequence } from './confidence-sequence.ts';
import type { Tuning } from './confidence-sequence.ts';
import { logEvidence, quantileMixture } from './quantile-mixture.ts';

/** Whether a value of one arm is above or below a fixed one. */
export interface OneSample {
  /** The arm's own value. */
  readonly estimate: number;
  /** Always-valid, two-sided, of the arm's value being the fixed one. */
  readonly p: number;
}

/** Fewer units than this have a variance that is not known well enough. */
const LEAST_UNITS = 100;

/** The most skewed that a mean may be: as in a comparison of two arms. */
const MOST_SKEWED = 0.25;

/**
 * Compares the mean of one arm with a fixed value, validly at every look.
 *
 * Source: Waudby-Smith et al. 2024, Theorem 2.2, as {@link confidenceSequence}; it is believed from 100 units on, and once the skewness of
 * the mean is 0.25 at most.
 */
export function compareMeanWith(sample: Sample, value: number, alpha: number, tuning: Tuning): OneSample {
  const { units, mean, variance, skewness } = sample;
  const believed = units >= LEAST_UNITS && Math.abs(skewness) <= MOST_SKEWED * Math.sqrt(units);
  const effect = { estimate: mean - value, standardError: Math.sqrt(variance / Math.max(1, units)) };
  const sequence = believed ? confidenceSequence(effect, units, alpha, tuning) : undefined;
  return { estimate: mean, p: sequence?.p ?? 1 };
}

/**
 * Compares the share of units that did with a fixed value, validly at every look and exactly at any number of units: a normal approximation fails where
 * none did, or all, as their variance isn't seen then.
 *
 * Source: S. R. Howard et al., Annals of Statistics 49 (2021), Proposition 7, as {@link quantileMixture}.
 *
 * @param units above 0
 * @param value 0 to 1
 */
export function compareShareWith(units: number, successes: number, value: number, tuning: Tuning): OneSample {
  const estimate = successes / units;
  // Where nothing is left to chance, one unit that is otherwise is enough.
  if (value <= 0 || value >= 1) return { estimate, p: estimate === value ? 1 : 0 };
  const evidence = logEvidence(quantileMixture(value, tuning), successes, units);
  return { estimate, p: Math.min(1, Math.exp(-evidence)) };
}

/**
 * Compares a ratio of two sums over units with a fixed value, validly at every look: where that is the ratio, x - value · y is 0 on average, whatever the
 * denominators are.
 *
 * @returns undefined while nothing has a denominator
 */
export function compareRatioWith(
  moments: PairState,
  value: number,
  alpha: number,
  tuning: Tuning,
): OneSample | undefined {
  const { x, y } = moments;
  if (y.mean === 0) return undefined;
  const { p } = compareMeanWith(sampleOfMean(lessMultiple(moments, value)), 0, alpha, tuning);
  return { estimate: x.mean / y.mean, p };
}

/**
 * Compares a quantile of one arm with a fixed value, validly at every look and at any number of units: by how many of the values are at
 * most that value, of which the quantile's share would be. Values are known to a bucket of 1 %, and the bucket that holds the value is
 * taken as what speaks least against it.
 *
 * Source: Howard and Ramdas, Bernoulli 28 (2022), Theorem 1(b), as {@link quantileMixture}.
 *
 * @param quantile 0 to 1, both excluded
 * @param estimate the arm's own quantile
 */
export function compareQuantileWith(
  histogram: LogHistogram,
  quantile: number,
  estimate: number,
  value: number,
  tuning: Tuning,
): OneSample {
  const n = histogramSize(histogram);
  if (n === 0) return { estimate, p: 1 };
  const mixture = quantileMixture(quantile, tuning);
  let [surelyBelow, maybeBelow] = [0, 0];
  for (const [index, count] of sortedBuckets(histogram)) {
    if (upperEdge(index) <= value) surelyBelow += count;
    if (upperEdge(index - 1) < value) maybeBelow += count;
  }
  const kindest = Math.min(maybeBelow, Math.max(surelyBelow, quantile * n));
  return { estimate, p: Math.min(1, Math.exp(-logEvidence(mixture, kindest, n))) };
}
