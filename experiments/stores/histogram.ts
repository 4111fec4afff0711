/** How values are distributed: units by the 1 % wide bucket of their size. */
export interface Histogram {
  /** Values of size below 1e-9. */
  readonly zeros: number;
  /** Values above 0: bucket `i` holds those above 1.01^(i-1) and up to 1.01^i. */
  readonly counts: Readonly<Record<string, number>>;
  /** Values below 0, by the bucket of their size. */
  readonly negatives: Readonly<Record<string, number>>;
}

/** A bucket by one name: a whole number for values above 0, with `n` before it for values below. */
export type Bucket = 'zero' | `n${number}` | `${number}`;

const LOG_RATIO = Math.log(1.01);
const SMALLEST = 1e-9;

/** The bucket of a finite value. Buckets are the same everywhere, so that histograms add up. */
export function bucketOf(value: number): Bucket {
  const size = Math.abs(value);
  if (size < SMALLEST) return 'zero';
  // The subtrahend keeps a bucket's own upper edge inside it, where the logarithm is rounded up.
  const index = Math.ceil(Math.log(size) / LOG_RATIO - 1e-9);
  // `-0` has another name than `0`.
  return value < 0 ? `n${index + 0}` : `${index + 0}`;
}

export function readHistogram(buckets: Iterable<readonly [Bucket, number]>): Histogram {
  let zeros = 0;
  const counts: [number, number][] = [];
  const negatives: [number, number][] = [];
  for (const [bucket, units] of buckets) {
    if (bucket === 'zero') zeros = units;
    else if (bucket.startsWith('n')) negatives.push([Number(bucket.slice(1)), units]);
    else counts.push([Number(bucket), units]);
  }
  return { zeros, counts: byIndex(counts), negatives: byIndex(negatives) };
}

function byIndex(counts: [number, number][]): Record<string, number> {
  return Object.fromEntries(counts.sort(([a], [b]) => a - b).map(([index, units]) => [String(index), units]));
}
