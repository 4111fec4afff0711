import { incompleteBeta } from '../../experiments/statistics/special/beta.ts';
import { findRoot } from '../../experiments/statistics/special/root.ts';

/**
 * The exact interval of a probability, from how often something happened.
 *
 * Source: C. J. Clopper and E. S. Pearson, "The use of confidence or fiducial limits", Biometrika 26 (1934).
 */
export function exactInterval(
  count: number,
  trials: number,
  level = 0.99,
): readonly [low: number, high: number] {
  const tail = (1 - level) / 2;
  const atMost = (k: number, p: number): number => incompleteBeta(trials - k, k + 1, 1 - p, p);
  return [
    count === 0 ? 0 : findRoot((p) => 1 - atMost(count - 1, p) - tail, 1e-12, 1 - 1e-12),
    count === trials ? 1 : findRoot((p) => atMost(count, p) - tail, 1e-12, 1 - 1e-12),
  ];
}

/** What is claimed of a rate: that it is not above a level, not below one, that it is that level or within a
 * tolerance of it, or nothing, as of what is shown for contrast. */
export type Claim =
  | { readonly kind: 'at most'; readonly rate: number }
  | { readonly kind: 'at least'; readonly rate: number }
  | { readonly kind: 'equals'; readonly rate: number }
  | { readonly kind: 'near'; readonly rate: number; readonly tolerance: number }
  | { readonly kind: 'contrast' };

/** Whether a count contradicts the claim, by the exact 99 % interval. */
export function holds(claim: Claim, count: number, trials: number): boolean {
  const [low, high] = exactInterval(count, trials);
  switch (claim.kind) {
    case 'at most':
      return low <= claim.rate;
    case 'at least':
      return high >= claim.rate;
    case 'equals':
      return low <= claim.rate && claim.rate <= high;
    case 'near':
      return low <= claim.rate + claim.tolerance && claim.rate - claim.tolerance <= high;
    case 'contrast':
      return true;
  }
}
