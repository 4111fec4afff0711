import { lowerGamma, upperGamma } from './gamma.ts';

const SQRT_TWO_PI = 2.5066282746310007;

/** The density of the standard normal distribution. */
export function normalDensity(z: number): number {
  return Math.exp(-0.5 * z * z) / SQRT_TWO_PI;
}

/**
 * The share of a standard normal distribution below `z`. The relative error is near 1e-13 in the lower tail, down to the
 * smallest numbers there are.
 *
 * Source: DLMF 7.2.2 and 8.4.6: erfc as an incomplete gamma function of order one half.
 */
export function normalCdf(z: number): number {
  const half = 0.5 * z * z;
  return z < 0 ? 0.5 * upperGamma(0.5, half) : 0.5 + 0.5 * lowerGamma(0.5, half);
}

/** The share of a standard normal distribution above `z`, accurate in the upper tail. */
export function normalTail(z: number): number {
  return normalCdf(-z);
}

/**
 * The value below which a standard normal distribution has the share `p`, for 0 < p < 1 (-Infinity at 0, Infinity at 1).
 *
 * Newton's method on the logarithm of the cdf, which is concave, from the approximation of Abramowitz and Stegun 26.2.23.
 */
export function normalQuantile(p: number): number {
  if (p <= 0) return p === 0 ? -Infinity : Number.NaN;
  if (p >= 1) return p === 1 ? Infinity : Number.NaN;
  if (p > 0.5) return -normalQuantile(1 - p);
  const t = Math.sqrt(-2 * Math.log(p));
  let z =
    (2.515517 + t * (0.802853 + t * 0.010328)) / (1 + t * (1.432788 + t * (0.189269 + t * 0.001308))) - t;
  for (let step = 0; step < 4; step += 1) {
    const below = normalCdf(z);
    const change = (Math.log(below / p) * below) / normalDensity(z);
    z -= change;
    if (Math.abs(change) < 1e-15 * Math.abs(z)) break;
  }
  return z;
}

/**
 * What a normal variate exceeds zero by, on average over all its values: E[max(X, 0)] for X ~ N(mean, deviation²).
 *
 * Source: the loss function of Raiffa and Schlaifer, "Applied Statistical Decision Theory", 1961, section 5.4.
 */
export function expectedExcess(mean: number, deviation: number): number {
  if (deviation === 0) return Math.max(mean, 0);
  const z = mean / deviation;
  return mean * normalCdf(z) + deviation * normalDensity(z);
}
