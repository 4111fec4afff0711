/** Half the logarithm of 2π. */
export const HALF_LOG_TWO_PI = 0.9189385332046728;

const EPSILON = 2 ** -53;
const TINY = 1e-300;

/**
 * The natural logarithm of the gamma function, for x > 0. The absolute error is near 1e-15 below 10; above, the relative
 * error is.
 *
 * Source: DLMF 5.11.1 (Stirling's series) above 10, the recurrence 5.5.1 below.
 */
export function logGamma(x: number): number {
  if (x < 10) {
    let product = 1;
    let shifted = x;
    for (; shifted < 10; shifted += 1) product *= shifted;
    return logGamma(shifted) - Math.log(product);
  }
  return (x - 0.5) * Math.log(x) - x + HALF_LOG_TWO_PI + stirlingRemainder(x);
}

/**
 * What Stirling's formula leaves out of the logarithm of the gamma function, for x >= 10: between 0 and 1/(12x).
 *
 * Source: DLMF 5.11.1, with the Bernoulli numbers up to B14.
 */
export function stirlingRemainder(x: number): number {
  const y = 1 / (x * x);
  const series =
    1 / 12 +
    y * (-1 / 360 + y * (1 / 1260 + y * (-1 / 1680 + y * (1 / 1188 + y * (-691 / 360360 + y * (1 / 156))))));
  return series / x;
}

/**
 * The regularised upper incomplete gamma function Q(a, x), for a > 0 and x >= 0: what is left of a gamma distribution of
 * shape `a` above `x`. The relative error is near 1e-13 in either tail.
 *
 * Source: DLMF 8.11.4 (series of P) for x < a + 1, 8.9.2 (continued fraction of Q) elsewhere.
 */
export function upperGamma(a: number, x: number): number {
  if (x <= 0) return 1;
  return x < a + 1 ? 1 - gammaSeries(a, x) : gammaFraction(a, x);
}

/** The regularised lower incomplete gamma function P(a, x) = 1 - Q(a, x), accurate where it is small. */
export function lowerGamma(a: number, x: number): number {
  if (x <= 0) return 0;
  return x < a + 1 ? gammaSeries(a, x) : 1 - gammaFraction(a, x);
}

function gammaSeries(a: number, x: number): number {
  let term = 1 / a;
  let sum = term;
  for (let n = 1; n < 100_000 && term > sum * EPSILON; n += 1) {
    term *= x / (a + n);
    sum += term;
  }
  return sum * gammaDensityTimesX(a, x);
}

/** By the modified method of Lentz. */
function gammaFraction(a: number, x: number): number {
  let b = x + 1 - a;
  let c = 1 / TINY;
  let d = 1 / b;
  let fraction = d;
  for (let n = 1; n < 100_000; n += 1) {
    const numerator = -n * (n - a);
    b += 2;
    d = 1 / nonZero(numerator * d + b);
    c = nonZero(b + numerator / c);
    const factor = d * c;
    fraction *= factor;
    if (Math.abs(factor - 1) < 2 * EPSILON) break;
  }
  return fraction * gammaDensityTimesX(a, x);
}

/** `x^a e^-x / Γ(a)`, written so that large arguments don't cancel. */
function gammaDensityTimesX(a: number, x: number): number {
  if (a < 10) return Math.exp(a * Math.log(x) - x - logGamma(a));
  const u = (x - a) / a;
  return Math.exp(a * (Math.log1p(u) - u) + 0.5 * Math.log(a) - HALF_LOG_TWO_PI - stirlingRemainder(a));
}

function nonZero(value: number): number {
  return Math.abs(value) < TINY ? TINY : value;
}
