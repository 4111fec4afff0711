import type { MeanState } from '../states/mean-state.ts';
import { skewness, variance } from '../states/mean-state.ts';
import { lessMultiple } from '../states/pair-state.ts';
import type { PairState } from '../states/pair-state.ts';

/** What inference needs to know of one arm's units. */
export interface Sample {
  readonly units: number;
  readonly mean: number;
  /** Of one unit's value; of a ratio, of one unit's linearised contribution. */
  readonly variance: number;
  /** Of the same. It says how many units a normal approximation takes. */
  readonly skewness: number;
  /** Of a ratio: of one unit's denominator, over the square of their mean. */
  readonly denominatorVariance?: number;
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

/** The same sample, with each outcome lowered by `theta` times its covariate's distance from `centre`. */
export function sampleWithCovariate(moments: PairState, theta: number, centre: number): Sample {
  const adjusted = sampleOfMean(lessMultiple(moments, theta));
  return { ...adjusted, mean: adjusted.mean + theta * centre };
}
