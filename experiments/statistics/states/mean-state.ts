/**
 * The moments of a sample, kept so that they can be added to, merged across replicas and epochs, and stored as JSON.
 * Sums of powers of deviations from the mean, not of the values: those would cancel.
 *
 * Source of the formulas in this file: P. Pébay, "Formulas for robust, one-pass parallel computation of covariances and
 * arbitrary-order statistical moments", Sandia report SAND2008-6212, equations 1.5, 2.1 and 2.2, after B. P. Welford (1962) and T. F. Chan,
 * G. H. Golub and R. J. LeVeque (1979).
 */
export interface MeanState {
  /** How many values; each is one unit's. */
  readonly n: number;
  readonly mean: number;
  /** The sum of squared deviations from the mean. */
  readonly m2: number;
  /** The sum of cubed deviations from the mean. */
  readonly m3: number;
}

export const NO_VALUES: MeanState = Object.freeze({ n: 0, mean: 0, m2: 0, m3: 0 });

export function addValue(state: MeanState, value: number): MeanState {
  return mergeMeans(state, { n: 1, mean: value, m2: 0, m3: 0 });
}

/** The sample of all values; both samples have to be of different units. */
export function mergeMeans(a: MeanState, b: MeanState): MeanState {
  if (a.n === 0) return b;
  if (b.n === 0) return a;
  const n = a.n + b.n;
  const delta = b.mean - a.mean;
  const cross = (a.n * b.n) / n;
  return {
    n,
    mean: a.mean + (delta * b.n) / n,
    m2: a.m2 + b.m2 + delta * delta * cross,
    m3: a.m3 + b.m3 + (delta ** 3 * cross * (a.n - b.n)) / n + (3 * delta * (a.n * b.m2 - b.n * a.m2)) / n,
  };
}

/** The unbiased variance of one value; 0 below two values. */
export function variance(state: MeanState): number {
  return state.n < 2 ? 0 : state.m2 / (state.n - 1);
}

/** The sample's skewness g1 = m3 / m2^1.5 (moments about the mean); 0 where all values are equal. */
export function skewness(state: MeanState): number {
  return state.m2 === 0 ? 0 : (Math.sqrt(state.n) * state.m3) / state.m2 ** 1.5;
}
