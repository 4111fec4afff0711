/**
 * Holm's step-down p-values: reject where they are below alpha, and no true hypothesis at all is rejected with probability
 * 1 - alpha, whatever the tests' dependence. Of always-valid p-values they are always-valid too.
 *
 * Source: S. Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6 (1979).
 *
 * @returns in the order of the input
 */
export function holm(pValues: readonly number[]): readonly number[] {
  const m = pValues.length;
  let largest = 0;
  return inOrder(
    pValues,
    (a, b) => a - b,
    (p, rank) => {
      largest = Math.max(largest, Math.min(1, (m - rank) * p));
      return largest;
    },
  );
}

/**
 * Benjamini and Hochberg's step-up p-values: reject where they are below alpha, and at most the share alpha of what is rejected
 * is false, on average, for independent or positively dependent tests.
 *
 * Source: Y. Benjamini and Y. Hochberg, "Controlling the false discovery rate", JRSS B 57 (1995).
 *
 * @returns in the order of the input
 */
export function benjaminiHochberg(pValues: readonly number[]): readonly number[] {
  const m = pValues.length;
  let smallest = 1;
  return inOrder(
    pValues,
    (a, b) => b - a,
    (p, rank) => {
      smallest = Math.min(smallest, (m / (m - rank)) * p);
      return smallest;
    },
  );
}

export type Correction = 'holm' | 'benjamini-hochberg' | 'none';

/** P-values after the correction, in the order of the input. */
export function correct(pValues: readonly number[], correction: Correction): readonly number[] {
  switch (correction) {
    case 'holm':
      return holm(pValues);
    case 'benjamini-hochberg':
      return benjaminiHochberg(pValues);
    case 'none':
      return pValues;
  }
}

function inOrder(
  pValues: readonly number[],
  compare: (a: number, b: number) => number,
  adjust: (p: number, rank: number) => number,
): readonly number[] {
  const adjusted = Array.from(pValues, () => 1);
  pValues
    .map((p, index) => ({ p, index }))
    .sort((a, b) => compare(a.p, b.p))
    .forEach(({ p, index }, rank) => {
      adjusted[index] = adjust(p, rank);
    });
  return adjusted;
}
