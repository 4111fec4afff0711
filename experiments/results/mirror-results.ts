import { OTHER } from '../answers/top-label.ts';
import type { Flip, MirrorTally } from '../mirror/mirror-tally.ts';
import { populationStabilityIndex, totalVariation } from '../statistics/drift.ts';
import { quantileOf } from '../statistics/estimates/quantile.ts';
import type { Interval } from '../statistics/estimates/welch.ts';
import { bernoulliSequence } from '../statistics/sequential/bernoulli-sequence.ts';
import type { Histogram } from '../stores/histogram.ts';

/** How a shadow's answers differ from those that callers of a variant got. */
export interface MirrorResult {
  readonly variant: string;
  /** The shadow's. */
  readonly mirror: string;
  /** Requests that were answered by both, and compared. */
  readonly compared: number;
  /** Copies that were not sent, by their reason. */
  readonly dropped: Readonly<Record<string, number>>;
  /** Copies that the shadow didn't answer, by their reason. */
  readonly failed: Readonly<Record<string, number>>;
  /** Whether both name the same class; null where answers name none. */
  readonly agreement: Agreement | null;
  /** Rows whose class is another, the most frequent first. */
  readonly flips: readonly Flip[];
  /** Rows with another class beyond those flips. */
  readonly otherFlips: number;
  /** Absolute differences of scores; null where there are none. */
  readonly difference: {
    readonly mean: number;
    readonly largest: number;
    /** Of each request's largest one, to 1 %. */
    readonly p50: number;
    readonly p99: number;
  } | null;
  /** Of the scores of a row; null where a row has one score. */
  readonly cosine: { readonly mean: number; readonly least: number } | null;
  /** Of the shadow's classes, or single scores, against the variant's; null where there are neither. */
  readonly drift: { readonly psi: number; readonly totalVariation: number } | null;
  /** Requests with a NaN or infinite score, by whose answer. */
  readonly nonFinite: { readonly variant: number; readonly mirror: number };
  /** Requests in whose answers outputs are missing, added, or of another shape or type. */
  readonly otherShape: number;
  /** Time in the model of the same requests, in milliseconds, to 1 %; null where none is known. */
  readonly computeMs: { readonly variant: Quantiles | null; readonly mirror: Quantiles | null };
}

export interface Agreement {
  /** Rows of which both name a class, and those of them in which it is the same. */
  readonly rows: number;
  readonly same: number;
  /** `same` of `rows`, 0 to 1. */
  readonly share: number;
  /** Units, each by its first copied request, and the share of them in all of whose rows the classes are the same. */
  readonly units: number;
  readonly unitShare: number | null;
  /** Of the unit share, 95 %, at all looks together. */
  readonly interval: Interval;
}

export interface Quantiles {
  readonly p50: number;
  readonly p99: number;
}

/** The level of the agreement's interval. */
const ALPHA = 0.05;

/** Flips that are shown. */
const MOST_SHOWN = 50;

/** What the mirrors of a phase have shown, a result for each pair. */
export function mirrorResults(tallies: readonly MirrorTally[]): readonly MirrorResult[] {
  return tallies.map((tally) => {
    const { variant, mirror, counts, dropped, failed, categories, computeMs } = tally;
    const shown = tally.flips.filter(({ from }) => from !== OTHER).slice(0, MOST_SHOWN);
    const psi = populationStabilityIndex(categories.variant, categories.mirror);
    const distance = totalVariation(categories.variant, categories.mirror);
    return {
      variant,
      mirror,
      compared: counts.compared,
      dropped,
      failed,
      agreement: agreementOf(tally),
      flips: shown,
      otherFlips: counts.labelled - counts.same - shown.reduce((sum, { rows }) => sum + rows, 0),
      difference: differenceOf(tally),
      cosine:
        counts.cosines === 0
          ? null
          : { mean: counts.sumCosine / counts.cosines, least: 1 - tally.largestCosineGap },
      drift: psi === undefined || distance === undefined ? null : { psi, totalVariation: distance },
      nonFinite: { variant: counts.nonFiniteVariant, mirror: counts.nonFiniteMirror },
      otherShape: counts.otherShape,
      computeMs: { variant: quantilesOf(computeMs.variant), mirror: quantilesOf(computeMs.mirror) },
    };
  });
}

function agreementOf({ counts }: MirrorTally): Agreement | null {
  const { labelled: rows, same, units, agreeing } = counts;
  if (rows === 0) return null;
  return {
    rows,
    same,
    share: same / rows,
    units,
    unitShare: units === 0 ? null : agreeing / units,
    interval: bernoulliSequence(agreeing, units, ALPHA),
  };
}

function differenceOf({ counts, differences, largestDifference }: MirrorTally): MirrorResult['difference'] {
  const quantiles = quantilesOf(differences);
  if (counts.elements === 0 || quantiles === null) return null;
  return {
    mean: counts.sumDifference / counts.elements,
    largest: largestDifference,
    // A bucket is known by its middle, which may lie above the largest of its values.
    p50: Math.min(quantiles.p50, largestDifference),
    p99: Math.min(quantiles.p99, largestDifference),
  };
}

function quantilesOf(histogram: Histogram): Quantiles | null {
  const parts = [{ histogram, weight: 1 }];
  const [p50, p99] = [quantileOf(parts, 0.5), quantileOf(parts, 0.99)];
  return p50 === undefined || p99 === undefined ? null : { p50, p99 };
}
