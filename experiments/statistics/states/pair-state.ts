import { addValue, mergeMeans, NO_VALUES } from './mean-state.ts';
import type { MeanState } from './mean-state.ts';

/**
 * The moments of two values of each unit: a ratio's numerator and denominator, or an outcome and its covariate from before
 * the exposure.
 *
 * Source: Pébay, SAND2008-6212, equations 3.11 and, for the sums of three factors, 2.2 with two variables in the place of one.
 */
export interface PairState {
  readonly x: MeanState;
  readonly y: MeanState;
  /** The sum of the products of both deviations from their means. */
  readonly comoment: number;
  /** The sum of x's squared deviations times y's. */
  readonly comomentXXY: number;
  /** The sum of x's deviations times y's squared ones. */
  readonly comomentXYY: number;
}

export const NO_PAIRS: PairState = Object.freeze({
  x: NO_VALUES,
  y: NO_VALUES,
  comoment: 0,
  comomentXXY: 0,
  comomentXYY: 0,
});

export function addPair(state: PairState, x: number, y: number): PairState {
  return mergePairs(state, { ...NO_PAIRS, x: addValue(NO_VALUES, x), y: addValue(NO_VALUES, y) });
}

/** The sample of all pairs; both samples have to be of different units. */
export function mergePairs(a: PairState, b: PairState): PairState {
  if (a.x.n === 0) return b;
  if (b.x.n === 0) return a;
  const n = a.x.n + b.x.n;
  const cross = (a.x.n * b.x.n) / n;
  const [dx, dy] = [b.x.mean - a.x.mean, b.y.mean - a.y.mean];
  const between = (cross * (a.x.n - b.x.n)) / n;
  /** What moving to the mean of all makes of a sum of two factors, of which there are some in each sample. */
  const moved = (ofA: number, ofB: number): number => (a.x.n * ofB - b.x.n * ofA) / n;
  return {
    x: mergeMeans(a.x, b.x),
    y: mergeMeans(a.y, b.y),
    comoment: a.comoment + b.comoment + dx * dy * cross,
    comomentXXY:
      a.comomentXXY +
      b.comomentXXY +
      dx * dx * dy * between +
      dy * moved(a.x.m2, b.x.m2) +
      2 * dx * moved(a.comoment, b.comoment),
    comomentXYY:
      a.comomentXYY +
      b.comomentXYY +
      dx * dy * dy * between +
      dx * moved(a.y.m2, b.y.m2) +
      2 * dy * moved(a.comoment, b.comoment),
  };
}

/**
 * The moments of x - factor · y of each unit: what is left of an outcome when its covariate is taken out, or of a ratio's numerator when that
 * many times its denominator is.
 *
 * Where x is nearly that multiple, what is left of the squares may be rounding alone; it is taken as its largest size, as a variance too large
 * only makes intervals wider.
 */
export function lessMultiple(state: PairState, factor: number): MeanState {
  const { x, y, comoment, comomentXXY, comomentXYY } = state;
  const squares = x.m2 - 2 * factor * comoment + factor * factor * y.m2;
  const size = x.m2 + x.n * x.mean * x.mean + factor * factor * (y.m2 + y.n * y.mean * y.mean);
  return {
    n: x.n,
    mean: x.mean - factor * y.mean,
    m2: squares === 0 ? 0 : Math.max(squares, x.n * Number.EPSILON * size),
    m3: x.m3 - 3 * factor * comomentXXY + 3 * factor ** 2 * comomentXYY - factor ** 3 * y.m3,
  };
}
