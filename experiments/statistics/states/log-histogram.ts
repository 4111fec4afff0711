/** The upper edge of a bucket over its lower edge: quantiles are known to 1 %. */
export const BUCKET_RATIO = 1.01;

const LOG_RATIO = Math.log(BUCKET_RATIO);

/** Values outside are counted in the first and the last bucket, so that the state has an upper size: 4,862 buckets. */
const SMALLEST_INDEX = Math.ceil(Math.log(1e-9) / LOG_RATIO);
const LARGEST_INDEX = Math.ceil(Math.log(1e12) / LOG_RATIO);

/**
 * Counts of values >= 0 in fixed buckets that grow by 1 %: bucket i holds the values above 1.01^(i-1) and up to 1.01^i. The
 * buckets are the same everywhere, so that two histograms merge by adding. Values from 1e-9 to 1e12 have buckets of their
 * own.
 */
export interface LogHistogram {
  readonly zeros: number;
  /** Counts by bucket index; buckets that hold nothing are left out. */
  readonly counts: Readonly<Record<string, number>>;
}

export const EMPTY_HISTOGRAM: LogHistogram = Object.freeze({ zeros: 0, counts: Object.freeze({}) });

/** The bucket of a value > 0. */
export function bucketOf(value: number): number {
  // The subtrahend keeps a bucket's own upper edge inside it, where the logarithm is rounded up.
  const index = Math.ceil(Math.log(value) / LOG_RATIO - 1e-9);
  return Math.min(LARGEST_INDEX, Math.max(SMALLEST_INDEX, index));
}

/** The largest value that a bucket holds. */
export function upperEdge(index: number): number {
  return Math.exp(index * LOG_RATIO);
}

/** The value that stands for all of a bucket: its geometric middle, 0.5 % from either edge. */
export function middle(index: number): number {
  return Math.exp((index - 0.5) * LOG_RATIO);
}

/**
 * Counts a value.
 *
 * @throws RangeError when the value isn't a finite number >= 0
 */
export function countValue(histogram: LogHistogram, value: number): LogHistogram {
  requireCountable(value);
  if (value === 0) return { zeros: histogram.zeros + 1, counts: histogram.counts };
  return mergeHistograms(histogram, { zeros: 0, counts: { [bucketOf(value)]: 1 } });
}

/**
 * Counts many values at once, which is cheaper than one by one: each histogram is a value of its own.
 *
 * @throws RangeError when a value isn't a finite number >= 0
 */
export function histogramOf(values: Iterable<number>): LogHistogram {
  let zeros = 0;
  const counts: Record<string, number> = {};
  for (const value of values) {
    requireCountable(value);
    if (value === 0) zeros += 1;
    else {
      const index = bucketOf(value);
      counts[index] = (counts[index] ?? 0) + 1;
    }
  }
  return { zeros, counts };
}

function requireCountable(value: number): void {
  if (!(value >= 0 && value < Infinity)) {
    throw new RangeError(`a histogram takes finite values >= 0, not ${value}`);
  }
}

export function mergeHistograms(a: LogHistogram, b: LogHistogram): LogHistogram {
  const counts: Record<string, number> = { ...a.counts };
  for (const [index, count] of Object.entries(b.counts)) counts[index] = (counts[index] ?? 0) + count;
  return { zeros: a.zeros + b.zeros, counts };
}

/** A histogram's buckets in the order of their values; zeros come first, under the index -Infinity. */
export function sortedBuckets(histogram: LogHistogram): readonly (readonly [index: number, count: number])[] {
  const buckets = Object.entries(histogram.counts)
    .map(([index, count]) => [Number(index), count] as const)
    .sort(([a], [b]) => a - b);
  return histogram.zeros > 0 ? [[-Infinity, histogram.zeros], ...buckets] : buckets;
}

/** How many values were counted. */
export function histogramSize(histogram: LogHistogram): number {
  return Object.values(histogram.counts).reduce((sum, count) => sum + count, histogram.zeros);
}
