import { addUp, ownValue } from '../named-values.ts';

/** Counts or weights by category, as classes or score buckets; only their shares matter. */
export type Distribution = Readonly<Record<string, number>>;

/** What both arms answered. */
export interface DistributionPair {
  readonly control: Distribution;
  readonly variant: Distribution;
}

/**
 * The answers of both arms over epochs: the shares of each epoch with the weight n_a n_b / (n_a + n_b), the same in both arms. Adding the answers up would take what
 * changed with time for a drift of the variant that had most of its traffic then. An epoch in which an arm answered nothing is left out.
 */
export function overEpochs(epochs: readonly DistributionPair[]): DistributionPair {
  const weighted = epochs.flatMap(({ control, variant }) => {
    const [a, b] = [total(control), total(variant)];
    const weight = a > 0 && b > 0 ? (a * b) / (a + b) : 0;
    return weight === 0
      ? []
      : [{ control: scaled(control, weight / a), variant: scaled(variant, weight / b) }];
  });
  return {
    control: addUp(weighted.map(({ control }) => control)),
    variant: addUp(weighted.map(({ variant }) => variant)),
  };
}

function scaled(distribution: Distribution, factor: number): Distribution {
  return Object.fromEntries(
    Object.entries(distribution).map(([category, count]) => [category, factor * count]),
  );
}

function total(distribution: Distribution): number {
  return Object.values(distribution).reduce((sum, count) => sum + count, 0);
}

/** The smallest share that a category is taken to have: an empty one would make the index infinite. */
const SMALLEST_SHARE = 1e-4;

/**
 * The population stability index of a variant's outputs against control's: Σ (q - p) log(q / p). By custom below 0.1 is stable, above
 * 0.25 is a shift. It is a size, not a test: with few outputs it is large by chance, by about (categories - 1)(1/n + 1/m).
 *
 * Source: N. Siddiqi, "Credit Risk Scorecards", 2006; it is the symmetrised divergence of S. Kullback and R. A. Leibler, 1951.
 *
 * @returns undefined when either is empty
 */
export function populationStabilityIndex(control: Distribution, variant: Distribution): number | undefined {
  return overShares(control, variant, (p, q) => {
    const [from, to] = [Math.max(p, SMALLEST_SHARE), Math.max(q, SMALLEST_SHARE)];
    return (to - from) * Math.log(to / from);
  });
}

/**
 * The total variation distance, ½ Σ |q - p|: the share of outputs that would have to change to make both equal, 0 to 1.
 *
 * @returns undefined when either is empty
 */
export function totalVariation(control: Distribution, variant: Distribution): number | undefined {
  return overShares(control, variant, (p, q) => Math.abs(q - p) / 2);
}

function overShares(
  control: Distribution,
  variant: Distribution,
  term: (p: number, q: number) => number,
): number | undefined {
  const [all, allOfVariant] = [total(control), total(variant)];
  if (all === 0 || allOfVariant === 0) return undefined;
  return [...new Set([...Object.keys(control), ...Object.keys(variant)])].reduce(
    (sum, category) =>
      sum + term((ownValue(control, category) ?? 0) / all, (ownValue(variant, category) ?? 0) / allOfVariant),
    0,
  );
}
