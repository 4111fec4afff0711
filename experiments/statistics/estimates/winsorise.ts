import { bucketOf, middle, sortedBuckets } from '../states/log-histogram.ts';
import type { LogHistogram } from '../states/log-histogram.ts';
import { mergeMeans, NO_VALUES } from '../states/mean-state.ts';
import type { MeanState } from '../states/mean-state.ts';

/**
 * The bucket of a percentile, over all histograms together: -Infinity is the bucket of zeros. Undefined when they are
 * empty.
 *
 * @param share of the values that lie in that bucket or below, 0 to 1
 */
export function bucketOfPercentile(histograms: readonly LogHistogram[], share: number): number | undefined {
  const counts = new Map<number, number>();
  let total = 0;
  for (const histogram of histograms) {
    for (const [index, count] of sortedBuckets(histogram)) {
      counts.set(index, (counts.get(index) ?? 0) + count);
      total += count;
    }
  }
  let below = 0;
  for (const [index, count] of [...counts].sort(([a], [b]) => (a < b ? -1 : 1))) {
    below += count;
    if (below >= share * total) return index;
  }
  return undefined;
}

/**
 * A sample's moments with every value above the cap's bucket taken as the cap. The cap is one for all arms and epochs:
 * capping each arm at its own percentile would hide a difference in the tail.
 *
 * Each value counts as the middle of its bucket, at most 0.5 % from itself, in all arms alike.
 *
 * @param cap from {@link bucketOfPercentile}
 */
export function winsorisedMoments(histogram: LogHistogram, cap: number): MeanState {
  return sortedBuckets(histogram).reduce((moments, [index, count]) => {
    const capped = Math.min(index, cap);
    const value = capped === -Infinity ? 0 : middle(capped);
    return mergeMeans(moments, { n: count, mean: value, m2: 0, m3: 0 });
  }, NO_VALUES);
}

/** A sample's moments with every value above `cap` taken as `cap`, to the width of a bucket. */
export function momentsCappedAt(histogram: LogHistogram, cap: number): MeanState {
  return winsorisedMoments(histogram, cap === 0 ? -Infinity : bucketOf(cap));
}
