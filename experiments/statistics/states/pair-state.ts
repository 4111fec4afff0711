import { addValue, mergeMeans, NO_VALUES } from './mean-state.ts';
import type { MeanState } from './mean-state.ts';

/**
 * The moments of two values of each unit: a ratio's numerator and denominator, or an outcome and its covariate from before
 * the exposure.
 *
 * Source: Pébay, SAND2008-6212, equation 3.11.
 */
export interface PairState {
  readonly x: MeanState;
  readonly y: MeanState;
  /** The sum of the products of both deviations from their means. */
  readonly comoment: number;
}

export const NO_PAIRS: PairState = Object.freeze({ x: NO_VALUES, y: NO_VALUES, comoment: 0 });

export function addPair(state: PairState, x: number, y: number): PairState {
  return mergePairs(state, { x: addValue(NO_VALUES, x), y: addValue(NO_VALUES, y), comoment: 0 });
}

/** The sample of all pairs; both samples have to be of different units. */
export function mergePairs(a: PairState, b: PairState): PairState {
  if (a.x.n === 0) return b;
  if (b.x.n === 0) return a;
  const cross = (a.x.n * b.x.n) / (a.x.n + b.x.n);
  return {
    x: mergeMeans(a.x, b.x),
    y: mergeMeans(a.y, b.y),
    comoment: a.comoment + b.comoment + (b.x.mean - a.x.mean) * (b.y.mean - a.y.mean) * cross,
  };
}

/** The unbiased covariance of both values of one unit; 0 below two units. */
export function covariance(state: PairState): number {
  return state.x.n < 2 ? 0 : state.comoment / (state.x.n - 1);
}
