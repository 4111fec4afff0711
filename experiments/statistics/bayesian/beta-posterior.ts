import { incompleteBeta, logBeta } from '../special/beta.ts';
import { integrate } from '../special/quadrature.ts';
import type { Direction } from './normal-posterior.ts';

/** A Beta distribution: what is believed of a proportion. */
export interface Beta {
  readonly a: number;
  readonly b: number;
}

/** Every proportion is as likely as every other. */
export const UNIFORM: Beta = { a: 1, b: 1 };

/** What is believed of a proportion after that many successes of that many units; neither has to be whole. */
export function betaPosterior(units: number, successes: number, prior: Beta = UNIFORM): Beta {
  return { a: prior.a + successes, b: prior.b + units - successes };
}

/** The probability that the variant's proportion is the better, and what is lost on average by shipping either, as a difference of proportions. */
export interface ProportionPosterior {
  readonly chanceToWin: number;
  readonly expectedLoss: number;
  readonly expectedLossOfControl: number;
}

/**
 * Compares two proportions. The integrals over the posteriors are computed, not drawn, so the same data give the same digits.
 *
 * Source: E. Miller, "Formulas for Bayesian A/B testing", 2015 (the probability); C. Stucchio, "Bayesian A/B testing at VWO", 2015, section 6
 * (the loss, by the identity p·Beta(p; a, b) = a/(a+b)·Beta(p; a+1, b)).
 */
export function compareProportions(control: Beta, variant: Beta, direction: Direction): ProportionPosterior {
  // E[max(v - c, 0)] = E[v; v > c] - E[c; v > c]
  const higher = probabilityAbove(variant, control);
  const mean = ({ a, b }: Beta): number => a / (a + b);
  const gain =
    mean(variant) * probabilityAbove(raised(variant), control) -
    mean(control) * probabilityAbove(variant, raised(control));
  const loss = gain - (mean(variant) - mean(control));
  const [up, down] = [Math.max(0, gain), Math.max(0, loss)];
  return direction === 'increase'
    ? { chanceToWin: higher, expectedLoss: down, expectedLossOfControl: up }
    : { chanceToWin: 1 - higher, expectedLoss: up, expectedLossOfControl: down };
}

function raised({ a, b }: Beta): Beta {
  return { a: a + 1, b };
}

/** The probability that a draw of `first` is above a draw of `second`. */
function probabilityAbove(first: Beta, second: Beta): number {
  const [meanOfFirst, deviation] = meanAndDeviation(first);
  const [meanOfSecond, deviationOfSecond] = meanAndDeviation(second);
  const z = (meanOfFirst - meanOfSecond) / Math.hypot(deviation, deviationOfSecond);
  // Two distributions that don't overlap in a double need no integral.
  if (Math.abs(z) > 40) return z > 0 ? 1 : 0;
  // The narrower density is the one to integrate over: the wider one's cdf is smooth across it.
  const above = deviation <= deviationOfSecond ? expectedCdf(first, second) : 1 - expectedCdf(second, first);
  return Math.min(1, Math.max(0, above));
}

/**
 * ∫ density of `over` · cdf of `of`. On the logit scale a Beta density is nearly normal and has no edges; its tails fall as
 * e^(a t) and e^(-b t), so what is left out is below 1e-15.
 */
function expectedCdf(over: Beta, of: Beta): number {
  const [mean, deviation] = meanAndDeviation(over);
  const centre = Math.log(mean) - Math.log1p(-mean);
  const spread = deviation / (mean * (1 - mean));
  const low = centre - Math.max(12 * spread, 40 / over.a);
  const high = centre + Math.max(12 * spread, 40 / over.b);
  return integrate(
    (t) => {
      const x = 1 / (1 + Math.exp(-t));
      const complement = 1 / (1 + Math.exp(t));
      if (x === 0 || complement === 0) return 0;
      const logDensity = over.a * Math.log(x) + over.b * Math.log(complement) - logBeta(over.a, over.b);
      return Math.exp(logDensity) * incompleteBeta(of.a, of.b, x, complement);
    },
    low,
    high,
    Math.ceil((high - low) / (3 * spread)),
  );
}

function meanAndDeviation({ a, b }: Beta): readonly [mean: number, deviation: number] {
  const n = a + b;
  return [a / n, Math.sqrt((a * b) / (n * n * (n + 1)))];
}
