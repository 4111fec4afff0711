import { HALF_LOG_TWO_PI, logGamma, stirlingRemainder } from './gamma.ts';

const EPSILON = 2 ** -53;
const TINY = 1e-300;

/**
 * The natural logarithm of the beta function, for a, b > 0. It does not cancel where one or both are large.
 *
 * Source: DLMF 5.12.1, with Stirling's formula (5.11.1) put into the quotient before it is computed.
 */
export function logBeta(a: number, b: number): number {
  const small = Math.min(a, b);
  const large = Math.max(a, b);
  if (large < 10) return logGamma(small) + logGamma(large) - logGamma(small + large);
  const sum = small + large;
  const ofLarge = stirlingRemainder(large) - stirlingRemainder(sum);
  if (small < 10) {
    return (
      logGamma(small) + ofLarge + small - small * Math.log(sum) + (large - 0.5) * Math.log1p(-small / sum)
    );
  }
  return (
    HALF_LOG_TWO_PI +
    stirlingRemainder(small) +
    ofLarge -
    0.5 * Math.log(large) +
    (small - 0.5) * Math.log(small / sum) +
    large * Math.log1p(-small / sum)
  );
}

/**
 * The regularised incomplete beta function I_x(a, b), for a, b > 0 and 0 <= x <= 1: how much of a Beta(a, b) distribution
 * lies below `x`. Accurate in both tails.
 *
 * Source: A. R. DiDonato and A. H. Morris, "Significant digit computation of the incomplete beta function ratios", ACM TOMS 18
 * (1992), equation 9 (continued fraction); DLMF 8.17.4 (symmetry).
 *
 * @param complement 1 - x, where the caller knows it better than the subtraction would
 */
export function incompleteBeta(a: number, b: number, x: number, complement = 1 - x): number {
  if (x <= 0) return 0;
  if (complement <= 0) return 1;
  return x <= (a + 1) / (a + b + 2)
    ? betaFraction(a, b, x, complement)
    : 1 - betaFraction(b, a, complement, x);
}

/** By the modified method of Lentz; it converges fast for x below the mean. */
function betaFraction(a: number, b: number, x: number, complement: number): number {
  const logX = x < 0.5 ? Math.log(x) : Math.log1p(-complement);
  const logComplement = complement < 0.5 ? Math.log(complement) : Math.log1p(-x);
  const front = Math.exp(a * logX + b * logComplement - logBeta(a, b));

  // Written with a(1 - x) - bx, which the caller's complement keeps from cancelling where x is near 1.
  const denominatorAt = (m: number): number =>
    m +
    (m === 0 ? 0 : (m * (b - m) * x) / (a + 2 * m - 1)) +
    ((a + m) * (a * complement - b * x + 1 + m * (1 + complement))) / (a + 2 * m + 1);
  let fraction = nonZero(denominatorAt(0));
  let c = fraction;
  let d = 0;
  for (let m = 1; m < 100_000; m += 1) {
    const numerator = ((a + m - 1) * (a + b + m - 1) * m * (b - m) * x * x) / (a + 2 * m - 1) ** 2;
    const denominator = denominatorAt(m);
    d = 1 / nonZero(denominator + numerator * d);
    c = nonZero(denominator + numerator / c);
    const factor = d * c;
    fraction *= factor;
    if (Math.abs(factor - 1) < 2 * EPSILON) break;
  }
  return front / fraction;
}

function nonZero(value: number): number {
  return Math.abs(value) < TINY ? TINY : value;
}
