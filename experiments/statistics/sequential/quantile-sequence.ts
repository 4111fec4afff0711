import { BUCKET_RATIO, sortedBuckets } from '../states/log-histogram.ts';
import type { LogHistogram } from '../states/log-histogram.ts';
import type { Interval } from '../estimates/welch.ts';
import type { Tuning } from './confidence-sequence.ts';
import { leastEvidence, logEvidence, quantileMixture } from './quantile-mixture.ts';

/** Both arms' values of one epoch. */
export interface QuantileStratum {
  readonly control: LogHistogram;
  readonly variant: LogHistogram;
  /** The epoch's place in the order in which epochs were first seen, from 0; left out: its place in the list. */
  readonly position?: number;
}

/** A quantile of a variant against control's, at all looks together. */
export interface QuantileComparison {
  /** Of the variant's quantile over control's, less 1. An end is infinite where nothing limits it yet. */
  readonly interval: Interval;
  /** Of equal quantiles. */
  readonly p: number;
  /** Of the variant's quantile being that many buckets above control's. */
  readonly pOf: (shift: number) => number;
}

/** Evidence against x as an arm's quantile, for the buckets x at which it changes; between two it is that of the lower. */
interface EvidenceCurve {
  readonly indexes: Float64Array;
  /** Against an x in that bucket itself. */
  readonly inside: Float64Array;
  /** Against an x above that bucket and below the next. */
  readonly above: Float64Array;
  /** Against an x below all. */
  readonly below: number;
  /** The bucket of the least evidence. */
  readonly best: number;
}

/** Both arms of one epoch. */
interface Curves {
  readonly control: EvidenceCurve;
  readonly variant: EvidenceCurve;
  readonly position: number;
}

/** No shift is looked for beyond a factor of 1.01^1400, about a million. */
const LARGEST_SHIFT = 1400;

/**
 * Compares a quantile of two arms, validly at every look: for each ratio of both quantiles, the evidence against every pair of values that has
 * that ratio is the product of both arms' test supermartingales; the ratio stands while some pair has less than
 * 1/alpha. Buckets grow by a constant ratio, so a ratio of quantiles is a shift of buckets, and the whole is exact to one bucket.
 *
 * The values have to be independent: one request per unit, one row per batch and interval. Epochs are tested apart, as
 * latency differs between them for reasons other than the variant; the evidence is the mean of theirs with weights
 * 1/(k(k+1)), which sum to 1 over all there may be. The weight is that of an epoch's place when it was first seen: one that comes back keeps it,
 * as a weight that followed what came since would make the mean no e-process.
 *
 * Source: Howard and Ramdas, Bernoulli 28 (2022), section 5 (sequential A/B tests of quantiles); the mean of
 * e-processes is one: V. Vovk and R. Wang, "E-values: calibration, combination and applications", Annals of Statistics 49 (2021), section 3.
 *
 * @param p the quantile, 0 < p < 1
 * @param tuning its planned time is in units of the smaller arm
 * @returns undefined when no epoch has values in both arms
 */
export function compareQuantiles(
  strata: readonly QuantileStratum[],
  p: number,
  alpha: number,
  tuning: Tuning,
): QuantileComparison | undefined {
  const evidence = quantileEvidence(strata, p, tuning);
  if (evidence === undefined) return undefined;
  const { against, centre } = evidence;
  const threshold = -Math.log(alpha);
  const furthest = (direction: 1 | -1): number => {
    if (against(centre + direction * LARGEST_SHIFT) < threshold) return direction * Infinity;
    let [inside, outside] = [0, LARGEST_SHIFT];
    while (outside - inside > 1) {
      const between = Math.floor((inside + outside) / 2);
      if (against(centre + direction * between) < threshold) inside = between;
      else outside = between;
    }
    // Values are known to a bucket, so the ends are a bucket further out.
    return centre + direction * (inside + 1);
  };
  const ratio = (shift: number): number => BUCKET_RATIO ** shift - 1;
  const pOf = (shift: number): number => Math.min(1, Math.exp(-against(shift)));
  return { interval: [ratio(furthest(-1)), ratio(furthest(1))], p: pOf(0), pOf };
}

/** The first shift that is beyond a lift for sure, as values are known to a bucket: above a lift over zero, below one under it. */
export function shiftBeyond(lift: number): number {
  const buckets = Math.floor(Math.abs(Math.log1p(Math.max(lift, -1))) / Math.log(BUCKET_RATIO));
  return Math.sign(lift) * Math.min(buckets + 1, LARGEST_SHIFT);
}

/** What speaks against each ratio of both quantiles. */
export interface QuantileEvidence {
  /** The logarithm of the evidence against the variant's quantile being `shift` buckets above control's. */
  readonly against: (shift: number) => number;
  /** A shift with little evidence against it. */
  readonly centre: number;
}

/** The evidence that {@link compareQuantiles} goes by. */
export function quantileEvidence(
  strata: readonly QuantileStratum[],
  p: number,
  tuning: Tuning,
): QuantileEvidence | undefined {
  const mixture = quantileMixture(p, tuning);
  const curveOf = (histogram: LogHistogram): EvidenceCurve | undefined => {
    const buckets = sortedBuckets(histogram);
    const n = buckets.reduce((sum, [, count]) => sum + count, 0);
    if (n === 0) return undefined;
    const least = leastEvidence(mixture, n);
    const indexes = Float64Array.from(buckets, ([index]) => index);
    const [inside, above] = [new Float64Array(buckets.length), new Float64Array(buckets.length)];
    let atMost = 0;
    let best = indexes[0] ?? 0;
    buckets.forEach(([index, count], position) => {
      const less = atMost;
      atMost += count;
      // Where x lies among equal values, the count below it can be anything between: take what speaks least against x.
      const kindest = Math.min(atMost, Math.max(less, least));
      inside[position] = logEvidence(mixture, kindest, n);
      above[position] = logEvidence(mixture, atMost, n);
      if (less <= least) best = index;
    });
    return { indexes, inside, above, below: logEvidence(mixture, 0, n), best };
  };
  const curves = strata.flatMap((stratum, index): readonly Curves[] => {
    const [control, variant] = [curveOf(stratum.control), curveOf(stratum.variant)];
    return control === undefined || variant === undefined
      ? []
      : [{ control, variant, position: stratum.position ?? index }];
  });
  if (curves.length === 0) return undefined;

  const against = (shift: number): number =>
    logMean(
      curves.map(({ control, variant, position }) => ({
        position,
        log: leastTogether(control, variant, shift),
      })),
    );
  return { against, centre: bestShift(curves, against) };
}

/** Least evidence of both arms together, over all values that could be control's quantile. */
function leastTogether(control: EvidenceCurve, variant: EvidenceCurve, shift: number): number {
  let least = Infinity;
  const consider = (index: number): void => {
    least = Math.min(least, at(control, index) + at(variant, index + shift));
  };
  // Each curve falls towards its best and rises after it, so the sum is least between both.
  const low = Math.min(control.best, variant.best - shift);
  const high = Math.max(control.best, variant.best - shift);
  consider(low);
  consider(high);
  // Between occupied buckets the evidence is constant: what has to be looked at are buckets, and gaps before and after them. Zeros lie
  // infinitely far below all other buckets, and what is between counts all the same.
  for (const [curve, offset] of [
    [control, 0],
    [variant, shift],
  ] as const) {
    const from = Math.max(0, positionAtMost(curve.indexes, low + offset));
    for (let i = from; i < curve.indexes.length; i += 1) {
      const index = (curve.indexes[i] ?? Infinity) - offset;
      if (index - 1 > high) break;
      for (const near of [index - 1, index, index + 1]) {
        if (near >= low && near <= high) consider(near);
      }
    }
  }
  return least;
}

function at(curve: EvidenceCurve, index: number): number {
  const position = positionAtMost(curve.indexes, index);
  if (position < 0) return curve.below;
  return (curve.indexes[position] === index ? curve.inside[position] : curve.above[position]) ?? Infinity;
}

/** The last position whose value is at most `value`; -1 when all are above. */
function positionAtMost(sorted: Float64Array, value: number): number {
  let [low, high] = [-1, sorted.length];
  while (high - low > 1) {
    const between = (low + high) >> 1;
    if ((sorted[between] ?? Infinity) <= value) low = between;
    else high = between;
  }
  return low;
}

/** The shift of the epoch with the least evidence for any other: where the search for the interval's ends starts. */
function bestShift(curves: readonly Curves[], against: (shift: number) => number): number {
  let [best, least] = [0, Infinity];
  for (const { control, variant } of curves) {
    const shift = variant.best - control.best;
    if (!Number.isFinite(shift)) continue;
    const evidence = against(shift);
    if (evidence < least) [best, least] = [shift, evidence];
  }
  return best;
}

/**
 * The logarithm of the mean with weights 1/(k(k+1)), where k is an epoch's place from 1; what they lack to 1 belongs to epochs that have no values yet, with
 * evidence 1.
 */
function logMean(parts: readonly { readonly position: number; readonly log: number }[]): number {
  const weighted = parts.map(({ position, log }) => ({
    log,
    weight: 1 / ((position + 1) * (position + 2)),
  }));
  const rest = 1 - weighted.reduce((sum, { weight }) => sum + weight, 0);
  const terms = weighted.map(({ log, weight }) => log + Math.log(weight));
  terms.push(Math.log(rest));
  const largest = Math.max(...terms);
  return largest + Math.log(terms.reduce((sum, term) => sum + Math.exp(term - largest), 0));
}
