import { variance } from '../states/mean-state.ts';
import { lessMultiple } from '../states/pair-state.ts';
import type { PairState } from '../states/pair-state.ts';
import type { Stratum } from './comparison.ts';
import { sampleOfMean } from './sample.ts';
import type { Sample } from './sample.ts';
import { stratumWeight } from './stratum-weight.ts';

/** One arm's ratio over all epochs. */
interface CombinedRatio {
  readonly ratio: number;
  /** The mean denominator that it is over; not 0. */
  readonly denominator: number;
}

/** Both arms' numerators and denominators in one epoch. */
export interface RatioStratum {
  readonly control: PairState;
  readonly variant: PairState;
}

/**
 * The epochs of a ratio of two sums over units, as clicks per impression, where the unit of assignment is the unit of analysis.
 *
 * Each arm has one ratio over all epochs, R = Σ w_k x̄_k / Σ w_k ȳ_k, and a unit counts as R + (x - R y) / Σ w_k ȳ_k, its part of that ratio by the
 * delta method: the means of these, with the epochs' weights, are R itself, and their variances are those of R. Each epoch's own ratio would be
 * biased by about R (CV²(y) - ρ CV(x) CV(y)) / n, however many epochs such ratios are averaged over, and an epoch in which an arm has no
 * denominator has none.
 *
 * Source: W. G. Cochran, "Sampling Techniques", 3rd edition, sections 6.10 to 6.12 (the combined ratio estimate against the separate one); the
 * linearisation: A. Deng, U. Knoblich and J. Lu, "Applying the delta method in metric analytics", KDD 2018, equation 4.
 *
 * @returns nothing while an arm has no denominator
 */
export function ratioStrata(epochs: readonly RatioStratum[]): readonly Stratum[] {
  const weights = epochs.map(({ control, variant }) => stratumWeight(control.x.n, variant.x.n));
  const [control, variant] = (['control', 'variant'] as const).map((arm) =>
    combine(
      epochs.map((epoch) => epoch[arm]),
      weights,
    ),
  );
  if (control === undefined || variant === undefined) return [];
  return epochs.map((epoch) => ({
    control: sampleOfRatio(epoch.control, control),
    variant: sampleOfRatio(epoch.variant, variant),
  }));
}

function combine(epochs: readonly PairState[], weights: readonly number[]): CombinedRatio | undefined {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  let [numerator, denominator] = [0, 0];
  epochs.forEach(({ x, y }, index) => {
    const share = (weights[index] ?? 0) / total;
    numerator += share * x.mean;
    denominator += share * y.mean;
  });
  return total > 0 && denominator !== 0 ? { ratio: numerator / denominator, denominator } : undefined;
}

function sampleOfRatio(moments: PairState, { ratio, denominator }: CombinedRatio): Sample {
  const { units, mean, variance: ofRest, skewness } = sampleOfMean(lessMultiple(moments, ratio));
  return {
    units,
    mean: ratio + mean / denominator,
    variance: ofRest / (denominator * denominator),
    skewness: Math.sign(denominator) * skewness,
    denominatorVariance: variance(moments.y) / (denominator * denominator),
  };
}
