import { incompleteBeta } from './beta.ts';
import { normalQuantile } from './normal.ts';
import { findRoot } from './root.ts';

/**
 * The share of Student's t distribution above `t`, accurate in the upper tail.
 *
 * Source: DLMF 8.17 and Abramowitz and Stegun 26.7.1.
 *
 * @param degrees degrees of freedom, > 0, not necessarily whole
 */
export function studentTail(t: number, degrees: number): number {
  const square = t * t;
  const x = degrees / (degrees + square);
  const beyond = 0.5 * incompleteBeta(0.5 * degrees, 0.5, x, square / (degrees + square));
  return t < 0 ? 1 - beyond : beyond;
}

/** The share of Student's t distribution below `t`, accurate in the lower tail. */
export function studentCdf(t: number, degrees: number): number {
  return studentTail(-t, degrees);
}

/** The value below which Student's t distribution has the share `p`, for 0 < p < 1. */
export function studentQuantile(p: number, degrees: number): number {
  if (p === 0.5) return 0;
  if (p > 0.5) return -studentQuantile(1 - p, degrees);
  const logP = Math.log(p);
  // The t distribution has heavier tails than the normal, so its quantile lies further out.
  const inner = normalQuantile(p);
  let outer = 2 * inner;
  while (studentCdf(outer, degrees) > p) outer *= 4;
  return findRoot((t) => Math.log(studentCdf(t, degrees)) - logP, outer, inner);
}
