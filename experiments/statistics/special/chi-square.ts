import { upperGamma } from './gamma.ts';

/**
 * The share of a chi-square distribution above `value`: the p-value of a chi-square statistic.
 *
 * Source: Abramowitz and Stegun 26.4.19.
 *
 * @param degrees degrees of freedom, > 0
 */
export function chiSquareTail(value: number, degrees: number): number {
  return upperGamma(0.5 * degrees, 0.5 * value);
}
