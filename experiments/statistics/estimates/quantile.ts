import { normalQuantile } from '../special/normal.ts';
import { histogramSize, middle, sortedBuckets, upperEdge } from '../states/log-histogram.ts';
import type { LogHistogram } from '../states/log-histogram.ts';

/** One arm's values in one epoch, and how much they count. */
export interface WeightedHistogram {
  readonly histogram: LogHistogram;
  readonly weight: number;
}

/**
 * A quantile of values kept in buckets: the middle of the bucket in which the weighted share of values reaches `p`.
 *
 * @param p 0 to 1
 * @returns undefined without values
 */
export function quantileOf(parts: readonly WeightedHistogram[], p: number): number | undefined {
  const shares = new Map<number, number>();
  let total = 0;
  for (const { histogram, weight } of parts) {
    const size = histogramSize(histogram);
    if (size === 0 || weight === 0) continue;
    for (const [index, count] of sortedBuckets(histogram)) {
      shares.set(index, (shares.get(index) ?? 0) + (weight * count) / size);
    }
    total += weight;
  }
  let below = 0;
  let last: number | undefined;
  for (const [index, share] of [...shares].sort(([a], [b]) => (a < b ? -1 : 1))) {
    below += share;
    last = index;
    if (below >= p * total * (1 - 1e-12)) break;
  }
  if (last === undefined) return undefined;
  return last === -Infinity ? 0 : middle(last);
}

/**
 * The standard error of the logarithm of a quantile, from the values at the ends of the interval for its rank, n p ± z √(n p (1 - p)).
 * For one look, planned before.
 *
 * Source: R. S. Woodruff, "Confidence intervals for medians and other position measures", JASA 47 (1952); GrowthBook's engine
 * takes the same interval for its quantile metrics.
 *
 * @returns undefined when there are too few values for both ends
 */
export function logQuantileError(parts: readonly WeightedHistogram[], p: number): number | undefined {
  const total = parts.reduce((sum, { weight }) => sum + weight, 0);
  // The variance of a weighted share is Σ w² p (1 - p) / n, over (Σ w)².
  const variance = parts.reduce((sum, { histogram, weight }) => {
    const size = histogramSize(histogram);
    return size === 0 ? sum : sum + ((weight / total) ** 2 * p * (1 - p)) / size;
  }, 0);
  const z = normalQuantile(0.975);
  const reach = z * Math.sqrt(variance);
  if (total === 0 || p - reach <= 0 || p + reach >= 1) return undefined;
  const [low, high] = [quantileOf(parts, p - reach), quantileOf(parts, p + reach)];
  if (low === undefined || high === undefined || low <= 0) return undefined;
  // An interval that lies in one bucket is as wide as the bucket, at least.
  return Math.max(Math.log(high / low), Math.log(upperEdge(1))) / (2 * z);
}
