/**
 * How much an epoch counts, with so many units in its arms: n_a n_b / (n_a + n_b), and nothing where an arm has fewer than two, as then its variance
 * is not known.
 *
 * The weights are those of Cochran, Mantel and Haenszel. They minimise the variance when a unit's variance is the same in both
 * arms and all epochs, and look at no outcome, so they bias nothing.
 *
 * Source: W. G. Cochran, "Some methods for strengthening the common χ² tests", Biometrics 10 (1954), section 5.
 */
export function stratumWeight(controlUnits: number, variantUnits: number): number {
  return controlUnits > 1 && variantUnits > 1
    ? (controlUnits * variantUnits) / (controlUnits + variantUnits)
    : 0;
}
