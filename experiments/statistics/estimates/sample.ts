import type { MeanState } from '../states/mean-state.ts';
import { skewness, variance } from '../states/mean-state.ts';
import { covariance } from '../states/pair-state.ts';
import type { PairState } from '../states/pair-state.ts';

/** What inference needs to know of one arm's units. */
export interface Sample {
  readonly units: number;
  readonly mean: number;
  /** Of one unit's value; of a ratio, of one unit's linearised contribution. */
  readonly variance: number;
  /** Of one unit's value, where the variance doesn't imply it. It says how many units a normal approximation takes. */
  readonly skewness: number;
}

/**
 * Where all units did, or none, the variance is that of half a unit more of the other kind: no finite sample shows that a rate is
 * exactly 0 or 1, and a variance of zero would make a difference as plain as that of 0 % to 100 % one of which nothing can be said.
 *
 * Source: the half is that of Jeffreys' prior; A. Agresti and B. A. Coull, "Approximate is better than exact for interval estimation of
 * binomial proportions", The American Statistician 52 (1998), add such units to every proportion.
 */
export function sampleOfProportion(units: number, successes: number): Sample {
  const mean = units === 0 ? 0 : successes / units;
  const unitVariance = mean * (1 - mean);
  const smoothed = (successes + 0.5) / (units + 1);
  return {
    units,
    mean,
    variance: unitVariance === 0 && units > 0 ? smoothed * (1 - smoothed) : unitVariance,
    skewness: unitVariance === 0 ? 0 : (1 - 2 * mean) / Math.sqrt(unitVariance),
  };
}

export function sampleOfMean(moments: MeanState): Sample {
  return {
    units: moments.n,
    mean: moments.mean,
    variance: variance(moments),
    skewness: skewness(moments),
  };
}

/**
 * A ratio of two sums over units, as clicks per impression, where the unit of assignment is the unit of analysis. Its
 * variance is that of the linearised ratio, by the delta method.
 *
 * Source: A. Deng, U. Knoblich and J. Lu, "Applying the delta method in metric analytics", KDD 2018, equation 4.
 */
export function sampleOfRatio(moments: PairState): Sample {
  const { x, y } = moments;
  if (y.mean === 0) return { units: x.n, mean: 0, variance: 0, skewness: 0 };
  const ratio = x.mean / y.mean;
  const linearised = variance(x) + ratio * ratio * variance(y) - 2 * ratio * covariance(moments);
  return {
    units: x.n,
    mean: ratio,
    variance: Math.max(0, linearised) / (y.mean * y.mean),
    skewness: Math.max(Math.abs(skewness(x)), Math.abs(skewness(y))),
  };
}

/** The same sample, with each outcome lowered by `theta` times its covariate's distance from `centre`. */
export function sampleWithCovariate(moments: PairState, theta: number, centre: number): Sample {
  const { x, y } = moments;
  const adjusted = variance(x) + theta * theta * variance(y) - 2 * theta * covariance(moments);
  return {
    units: x.n,
    mean: x.mean - theta * (y.mean - centre),
    variance: Math.max(0, adjusted),
    skewness: skewness(x),
  };
}
