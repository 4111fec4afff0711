import { logBeta } from '../special/beta.ts';
import { mixtureScale } from './confidence-sequence.ts';
import type { Tuning } from './confidence-sequence.ts';

/**
 * A test supermartingale for "each value lies below x with probability p", from a conjugate beta mixture over what else that
 * probability could be. Exact for any distribution and any sample size: nothing about it is asymptotic.
 *
 * Source: S. R. Howard, A. Ramdas, J. McAuliffe and J. Sekhon, "Time-uniform, nonparametric, nonasymptotic confidence
 * sequences", Annals of Statistics 49 (2021), Proposition 7 (the two-sided beta-binomial mixture), in the form in which S. R.
 * Howard and A. Ramdas, "Sequential estimation of quantiles with applications to A/B testing and best-arm identification",
 * Bernoulli 28 (2022), Theorem 1(b), apply it to a quantile.
 */
export interface QuantileMixture {
  /** The quantile, 0 < p < 1. */
  readonly p: number;
  /** The prior's sum of pseudo-counts over p and 1 - p. */
  readonly priorUnits: number;
  readonly logNormaliser: number;
}

/** @param tuning its planned time is in units of one arm */
export function quantileMixture(p: number, tuning: Tuning): QuantileMixture {
  const spread = p * (1 - p);
  const rho = spread / mixtureScale(tuning);
  const priorUnits = Math.max(rho - spread, 1e-3 * spread) / spread;
  return { p, priorUnits, logNormaliser: logBeta(priorUnits * (1 - p), priorUnits * p) };
}

/**
 * The logarithm of the evidence against "x is the p-quantile", when `below` of `n` values were at most x. Convex in `below`,
 * lowest near n·p.
 *
 * @param below 0 to n, not necessarily whole
 */
export function logEvidence(mixture: QuantileMixture, below: number, n: number): number {
  const { p, priorUnits, logNormaliser } = mixture;
  const above = n - below;
  return (
    logBeta(priorUnits * (1 - p) + above, priorUnits * p + below) -
    logNormaliser -
    below * Math.log(p) -
    above * Math.log1p(-p)
  );
}

/** How many of `n` values below x speak least against x. */
export function leastEvidence(mixture: QuantileMixture, n: number): number {
  const golden = (Math.sqrt(5) - 1) / 2;
  let [low, high] = [0, n];
  for (let step = 0; step < 100 && high - low > 1e-9 * n; step += 1) {
    const [left, right] = [high - golden * (high - low), low + golden * (high - low)];
    if (logEvidence(mixture, left, n) < logEvidence(mixture, right, n)) high = right;
    else low = left;
  }
  return (low + high) / 2;
}
