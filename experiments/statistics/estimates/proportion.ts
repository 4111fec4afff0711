import type { Stratum } from './comparison.ts';
import { sampleOfProportion } from './sample.ts';
import type { Sample } from './sample.ts';

/** How many units an arm had in an epoch, and how many of them did. */
export type Counts = readonly [units: number, successes: number];

/**
 * The epochs of a proportion. Where there are several, each one's variance is p (1 - p) n / (n - 1), without bias, however few units it had, and what
 * {@link sampleOfProportion} does where all units did, or none, is done to an arm of which that is so in all epochs together: epochs of few units are often so by chance,
 * and doing it to each of them made the variance up to ten times too large at rates of 1 %, and p (1 - p) a third too small at 50 %.
 */
export function proportionStrata(
  epochs: readonly { readonly control: Counts; readonly variant: Counts }[],
): readonly Stratum[] {
  if (epochs.length < 2) {
    return epochs.map(({ control, variant }) => ({
      control: sampleOfProportion(...control),
      variant: sampleOfProportion(...variant),
    }));
  }
  const [ofControl, ofVariant] = (['control', 'variant'] as const).map((arm) => {
    const all = epochs.map((epoch) => epoch[arm]);
    const sum = (part: 0 | 1): number => all.reduce((total, counts) => total + counts[part], 0);
    const [units, successes] = [sum(0), sum(1)];
    return successes === 0 || successes === units ? sampleOfProportion(units, successes).variance : undefined;
  });
  return epochs.map(({ control, variant }) => ({
    control: sampleOfEpoch(control, ofControl),
    variant: sampleOfEpoch(variant, ofVariant),
  }));
}

/** @param variance where the epoch shows none, nor any other */
function sampleOfEpoch([units, successes]: Counts, variance: number | undefined): Sample {
  const { mean, skewness } = sampleOfProportion(units, successes);
  const unbiased = units < 2 ? 0 : (mean * (1 - mean) * units) / (units - 1);
  return { units, mean, skewness, variance: variance ?? unbiased };
}
