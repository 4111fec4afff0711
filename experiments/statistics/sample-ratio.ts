import { chiSquareTail } from './special/chi-square.ts';
import { logGamma } from './special/gamma.ts';
import { ownValue } from '../named-values.ts';

/** First exposures of one epoch, and the shares that the epoch gave: the same keys in both. */
export interface AssignmentCounts {
  /** Variant's name to its weight; only ratios matter. A weight of 0 leaves the variant out. */
  readonly weights: Readonly<Record<string, number>>;
  /** Variant's name to the units that were first exposed in this epoch. */
  readonly units: Readonly<Record<string, number>>;
}

/** The prior's strength, in units: how near to the wished shares the alternative looks. As in the published code. */
const CONCENTRATION = 10_000;

interface Cell {
  readonly name: string;
  readonly share: number;
  readonly units: number;
}

function cellsOf({ weights, units }: AssignmentCounts): readonly Cell[] {
  const total = Object.values(weights).reduce((sum, weight) => sum + weight, 0);
  return Object.entries(weights)
    .filter(([, weight]) => weight > 0)
    .map(([name, weight]) => ({ name, share: weight / total, units: ownValue(units, name) ?? 0 }));
}

/**
 * The chi-square test of the sample ratio, over all epochs: the sum of their statistics, with the sum of their degrees of freedom.
 * For one look, planned before. A variant with units but no share in its epoch makes p zero.
 *
 * Source: K. Pearson 1900; A. Fabijan et al., "Diagnosing sample ratio mismatch in online controlled experiments", KDD 2019.
 */
export function chiSquareSampleRatio(epochs: readonly AssignmentCounts[]): {
  readonly statistic: number;
  readonly degrees: number;
  readonly p: number;
} {
  let [statistic, degrees] = [0, 0];
  for (const epoch of epochs) {
    if (hasStrays(epoch)) return { statistic: Infinity, degrees: 1, p: 0 };
    const cells = cellsOf(epoch);
    const total = cells.reduce((sum, { units }) => sum + units, 0);
    if (total === 0 || cells.length < 2) continue;
    degrees += cells.length - 1;
    for (const { share, units } of cells) statistic += (units - share * total) ** 2 / (share * total);
  }
  return { statistic, degrees, p: degrees === 0 ? 1 : chiSquareTail(statistic, degrees) };
}

/**
 * The sequential test of the sample ratio: the always-valid p-value of "each unit fell to a variant with its epoch's shares", one over
 * the Bayes factor of a Dirichlet-multinomial alternative around those shares. It may be looked at after every unit; an
 * alarm at p < 0.001 is false in at most 0.1 % of experiments. Epochs multiply, as each is a martingale of its own.
 *
 * Source: M. Lindon and A. Malek, "Anytime-valid inference for multinomial count data", NeurIPS 2022, equations 5 and 6; the prior's
 * concentration of 10,000 is that of Optimizely's `ssrm_test`.
 *
 * @param concentration the prior's strength, in units
 */
export function sequentialSampleRatio(
  epochs: readonly AssignmentCounts[],
  concentration = CONCENTRATION,
): { readonly logBayesFactor: number; readonly p: number } {
  let logBayesFactor = 0;
  for (const epoch of epochs) {
    if (hasStrays(epoch)) return { logBayesFactor: Infinity, p: 0 };
    const cells = cellsOf(epoch);
    const total = cells.reduce((sum, { units }) => sum + units, 0);
    logBayesFactor += logGamma(concentration) - logGamma(concentration + total);
    for (const { share, units } of cells) {
      const prior = concentration * share;
      logBayesFactor += logGamma(prior + units) - logGamma(prior) - units * Math.log(share);
    }
  }
  return { logBayesFactor, p: Math.min(1, Math.exp(-logBayesFactor)) };
}

/** Units of variants that the epoch gave no share: nothing random puts them there. */
function hasStrays({ weights, units }: AssignmentCounts): boolean {
  return Object.entries(units).some(([name, count]) => count > 0 && !((ownValue(weights, name) ?? 0) > 0));
}

/** How a variant's units differ from its share. */
export interface VariantRatio {
  readonly variant: string;
  readonly units: number;
  readonly expected: number;
  /** Of this variant against all others together, by the sequential test, times the number of variants (Bonferroni). */
  readonly p: number;
}

/** Which variant has too many units, or too few. */
export function sampleRatioByVariant(epochs: readonly AssignmentCounts[]): readonly VariantRatio[] {
  const names = [
    ...new Set(epochs.flatMap(({ weights, units }) => [...Object.keys(weights), ...Object.keys(units)])),
  ];
  return names.sort().map((variant) => {
    let [units, expected] = [0, 0];
    const against = epochs.map((epoch): AssignmentCounts => {
      const all = sum(epoch.units);
      const weight = ownValue(epoch.weights, variant) ?? 0;
      const own = ownValue(epoch.units, variant) ?? 0;
      const weights = sum(epoch.weights);
      units += own;
      expected += weights === 0 ? 0 : (all * weight) / weights;
      return { weights: { own: weight, rest: weights - weight }, units: { own, rest: all - own } };
    });
    return { variant, units, expected, p: Math.min(1, names.length * sequentialSampleRatio(against).p) };
  });
}

function sum(record: Readonly<Record<string, number>>): number {
  return Object.values(record).reduce((total, value) => total + value, 0);
}

/** A part of the traffic, as one API key's or one day's. */
export interface Segment {
  readonly name: string;
  readonly epochs: readonly AssignmentCounts[];
}

/** A segment whose own sample ratio is off. */
export interface SegmentRatio {
  readonly name: string;
  readonly units: number;
  /** Of the sequential test, times the number of segments (Bonferroni). */
  readonly p: number;
  /** Of the rest of the traffic without this segment: near 1 where the segment is the whole cause. */
  readonly pWithout: number;
}

/**
 * Which segments have a mismatch of their own: where to look for the cause. Most suspicious first.
 *
 * @param alpha the level for all segments together
 */
export function mismatchedSegments(segments: readonly Segment[], alpha: number): readonly SegmentRatio[] {
  const factors = segments.map(({ epochs }) => sequentialSampleRatio(epochs).logBayesFactor);
  // Epochs multiply, so the rest is all without one's own; a segment that nothing random explains is infinite, and counted apart.
  const infinite = factors.filter((factor) => factor === Infinity).length;
  const finite = factors.reduce((total, factor) => (factor === Infinity ? total : total + factor), 0);
  const ofRest = (own: number): number => {
    if (own === Infinity) return infinite > 1 ? Infinity : finite;
    return infinite > 0 ? Infinity : finite - own;
  };
  return segments
    .map(({ name, epochs }, index) => {
      const own = factors[index] ?? 0;
      return {
        name,
        units: epochs.reduce((total, epoch) => total + sum(epoch.units), 0),
        p: Math.min(1, segments.length * Math.exp(-own)),
        pWithout: Math.min(1, Math.exp(-ofRest(own))),
      };
    })
    .filter(({ p }) => p < alpha)
    .sort((a, b) => a.p - b.p);
}
