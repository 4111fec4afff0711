import { logBeta } from '../special/beta.ts';
import { findRoot } from '../special/root.ts';
import type { Interval } from '../estimates/welch.ts';

/**
 * The confidence sequence of a probability: an interval that holds its level at all looks together, exact for any probability and any
 * number of trials, also where none or all succeeded.
 *
 * It is the set of all p against which the evidence is below 1/alpha. The evidence is the likelihood of what was seen, averaged over a
 * uniform prior, over that of p: a martingale that starts at 1.
 *
 * Source: H. Robbins, "Statistical methods related to the law of the iterated logarithm", Annals of Mathematical Statistics 41 (1970),
 * section 3, after J. Ville, 1939.
 *
 * @param successes 0 to `trials`
 * @param alpha the level, 0 to 1
 */
export function bernoulliSequence(successes: number, trials: number, alpha: number): Interval {
  const failures = trials - successes;
  // The upper end is one less the lower end of failures, which is exact where it is within a rounding of 1.
  return [lowerEnd(successes, failures, alpha), 1 - lowerEnd(failures, successes, alpha)];
}

function lowerEnd(successes: number, failures: number, alpha: number): number {
  if (successes === 0) return 0;
  const marginal = logBeta(1 + successes, 1 + failures);
  const beyond = (p: number): number =>
    marginal - successes * Math.log(p) - times(failures, Math.log1p(-p)) + Math.log(alpha);
  return findRoot(beyond, Number.MIN_VALUE, successes / (successes + failures), 1e-12);
}

/** Zero times the logarithm of zero is zero. */
function times(count: number, logarithm: number): number {
  return count === 0 ? 0 : count * logarithm;
}
