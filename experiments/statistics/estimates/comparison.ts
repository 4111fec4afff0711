import type { Sample } from './sample.ts';
import { stratumWeight } from './stratum-weight.ts';

/** Both arms in one epoch: within it the shares are constant, so its difference is an unbiased one. */
export interface Stratum {
  readonly control: Sample;
  readonly variant: Sample;
  /** Left out: there is no covariate. */
  readonly centring?: Centring;
}

/**
 * What both arms' means have in common where a covariate is taken out of them: they are told at its mean, which both arms are estimated to have. In the
 * difference of the arms it cancels, in their ratio it doesn't.
 */
export interface Centring {
  readonly variance: number;
  /** Its covariance with what the covariate leaves of each arm's mean. */
  readonly withControl: number;
  readonly withVariant: number;
}

/** A variant against control, over all epochs. */
export interface Comparison {
  /** Means over the epochs, with the same weights in both arms. */
  readonly control: number;
  readonly variant: number;
  /** Of those means; where there is a covariate, of what it leaves of them. */
  readonly controlVariance: number;
  readonly variantVariance: number;
  /** What they have in common where a covariate is taken out of them; all 0 where there is none. */
  readonly centring: Centring;
  /** Units in the epochs that counted. */
  readonly controlUnits: number;
  readonly variantUnits: number;
  /** Welch and Satterthwaite's degrees of freedom. */
  readonly degreesOfFreedom: number;
  /** Units of an equal split that would tell as much: 4 n_a n_b / (n_a + n_b), summed over the epochs. */
  readonly effectiveUnits: number;
  /**
   * How skewed the difference itself is: the larger arm's skewness of one unit, as far as unequal arms let it through. In an
   * equal split it cancels; at 90/10 it is 2.7 times the unit's over the root of all units.
   */
  readonly skewness: number;
  /** Third central moments of both means. */
  readonly controlThird: number;
  readonly variantThird: number;
  /** Of a ratio: the standard error of the mean denominator over that mean, in the arm that knows it least; 0 for all else. */
  readonly denominatorError: number;
}

/**
 * Puts the epochs together: the mean of each arm is Σ w_k mean_k / Σ w_k, with w_k = n_a n_b / (n_a + n_b), as {@link stratumWeight}. Pooling the
 * units in place of that confounds a variant with the time when it got its traffic (Simpson's paradox). The sum Σ w_k difference_k is a martingale under the null
 * hypothesis, whatever the shares of later epochs depend on, so it can be looked at after every unit. When the
 * effect differs between epochs, the estimate is its mean with these weights.
 *
 * An epoch in which an arm has fewer than two units tells nothing, and is left out.
 *
 * Source of the degrees of freedom: F. E. Satterthwaite, "An approximate distribution of estimates of variance components", Biometrics Bulletin 2
 * (1946), equation 17.
 *
 * @returns undefined when no epoch has two units in both arms
 */
export function compareArms(strata: readonly Stratum[]): Comparison | undefined {
  const counted = strata.flatMap((stratum) => {
    const weight = stratumWeight(stratum.control.units, stratum.variant.units);
    return weight === 0 ? [] : [{ ...stratum, weight }];
  });
  const total = counted.reduce((sum, { weight }) => sum + weight, 0);
  if (total === 0) return undefined;

  const sums = { control: 0, variant: 0, controlVariance: 0, variantVariance: 0 };
  const units = { control: 0, variant: 0 };
  let [satterthwaite, imbalance] = [0, 0];
  const third = { control: 0, variant: 0 };
  const cubes = { control: 0, variant: 0 };
  const second = { control: 0, variant: 0 };
  const denominators = { control: 0, variant: 0 };
  const ofOneUnit = { control: 0, variant: 0 };
  const centring = { variance: 0, withControl: 0, withVariant: 0 };
  for (const stratum of counted) {
    const share = stratum.weight / total;
    const { control, variant } = stratum;
    imbalance += (share * (control.units - variant.units)) / (control.units + variant.units);
    for (const part of ['variance', 'withControl', 'withVariant'] as const)
      centring[part] += share * share * (stratum.centring?.[part] ?? 0);
    for (const arm of ['control', 'variant'] as const) {
      const sample = stratum[arm];
      const ofMean = (share * share * sample.variance) / sample.units;
      sums[arm] += share * sample.mean;
      sums[`${arm}Variance`] += ofMean;
      satterthwaite += (ofMean * ofMean) / (sample.units - 1);
      units[arm] += sample.units;
      second[arm] += sample.units * sample.variance;
      third[arm] += sample.units * sample.skewness * sample.variance ** 1.5;
      cubes[arm] += share ** 3 / sample.units ** 2;
      denominators[arm] += sample.units * (sample.denominatorVariance ?? 0);
      ofOneUnit[arm] += (share * share) / sample.units;
    }
  }
  const skewnessOf = (arm: 'control' | 'variant'): number =>
    second[arm] === 0 ? 0 : Math.abs(third[arm] / units[arm]) / (second[arm] / units[arm]) ** 1.5;
  const thirdOf = (arm: 'control' | 'variant'): number => (cubes[arm] * third[arm]) / units[arm];
  // The arm with more units knows better how much denominators vary.
  const denominatorVariance = Math.max(
    denominators.control / units.control,
    denominators.variant / units.variant,
  );
  const varianceOfDifference = sums.controlVariance + sums.variantVariance;
  return {
    ...sums,
    centring,
    controlUnits: units.control,
    variantUnits: units.variant,
    degreesOfFreedom: satterthwaite === 0 ? Infinity : varianceOfDifference ** 2 / satterthwaite,
    effectiveUnits: 4 * total,
    skewness:
      (Math.max(skewnessOf('control'), skewnessOf('variant')) * Math.abs(imbalance)) / Math.sqrt(total),
    controlThird: thirdOf('control'),
    variantThird: thirdOf('variant'),
    denominatorError: Math.sqrt(denominatorVariance * Math.max(ofOneUnit.control, ofOneUnit.variant)),
  };
}

/** Below as many units in an arm its variance is not known well enough. */
const LEAST_UNITS = 100;

/** The most skewed that a difference may be. Simulations of 1 % and 0.1 % rates and of log-normal values at 90/10 chose it. */
const MOST_SKEWED = 0.25;

/**
 * The largest relative standard error of a ratio's denominator: its bias is at most that many of its own standard errors.
 *
 * Source: H. O. Hartley and A. Ross, "Unbiased ratio estimators", Nature 174 (1954), for the bound; Cochran, "Sampling Techniques", section 6.5, for
 * the tenth.
 */
const LARGEST_DENOMINATOR_ERROR = 0.1;

/**
 * How many effective units there have to be before an asymptotic sequence may be believed: 100 units in each arm, and so many
 * that the difference's skewness is 0.25 at most, and a ratio's denominator known to a tenth. Before that a 10 % arm of a 1 % rate shows no event, hence no
 * variance, and 16 % of A/A experiments raised an alarm (`bench/simulations`). The rule looks at numbers that don't tell the effect.
 *
 * Source: the order of the normal approximation's error is that of the skewness (Berry 1941, Esseen 1942); W. G. Cochran,
 * "Sampling Techniques", 3rd edition, section 2.15, gives such a rule for one mean.
 */
export function effectiveUnitsToBelieve(comparison: Comparison): number {
  const { controlUnits, variantUnits, effectiveUnits, skewness, denominatorError } = comparison;
  const forUnits = LEAST_UNITS / Math.min(controlUnits, variantUnits);
  const forSkewness = (skewness / MOST_SKEWED) ** 2;
  const forDenominator = (denominatorError / LARGEST_DENOMINATOR_ERROR) ** 2;
  return Math.max(forUnits, forSkewness, forDenominator) * effectiveUnits;
}

/**
 * Whether a lift may be believed too, where a difference may: that is told by the variant less that many times the control, which has the skewness of
 * the variant alone where its mean is nearly zero. Of an event or two where control has hundreds, the sequence left out the true lift in 14 % of
 * experiments, and of none, where a mean of zero comes with no variance at all, in half of them.
 */
export function isLiftBelieved(comparison: Comparison): boolean {
  const { control, variant, controlVariance, variantVariance, controlThird, variantThird } = comparison;
  if (variant === 0) return false;
  const lift = variant / control;
  const spread = variantVariance + lift * lift * controlVariance;
  return spread === 0 || Math.abs(variantThird - lift ** 3 * controlThird) <= MOST_SKEWED * spread ** 1.5;
}

/** An effect and how far it may be from the truth. */
export interface Effect {
  readonly estimate: number;
  readonly standardError: number;
}

export function difference(comparison: Comparison): Effect {
  return beyond(comparison, 1);
}

/** How far the variant's mean is above `factor` times the control's. */
function beyond(comparison: Comparison, factor: number): Effect {
  const { control, variant, controlVariance, variantVariance, centring } = comparison;
  // Written so that what both have in common cancels in their difference to the last digit.
  const left = 1 - factor;
  const ofCentre =
    left * (left * centring.variance + 2 * (centring.withVariant - factor * centring.withControl));
  const ofMeans = variantVariance + factor * factor * controlVariance + ofCentre;
  return { estimate: variant - factor * control, standardError: Math.sqrt(Math.max(0, ofMeans)) };
}

/** The variance of the variant's mean, the covariance of both, and the variance of the control's, with what they have in common. */
function spreadOf({
  controlVariance,
  variantVariance,
  centring: { variance, withControl, withVariant },
}: Comparison): readonly [ofVariant: number, ofBoth: number, ofControl: number] {
  return [
    variantVariance + variance + 2 * withVariant,
    variance + withControl + withVariant,
    controlVariance + variance + 2 * withControl,
  ];
}

/**
 * The relative lift, (variant - control) / |control|, by the delta method. Undefined when control's mean is zero. It is no
 * more normal than control's mean is far from zero: four standard errors at least.
 *
 * Source: Deng, Knoblich and Lu, KDD 2018, section 3.1; GrowthBook's engine computes the same.
 *
 * @param baseline control's mean without its covariate taken out, where that was done
 */
export function relativeLift(comparison: Comparison, baseline = comparison.control): Effect | undefined {
  if (baseline === 0) return undefined;
  return {
    estimate: (comparison.variant - comparison.control) / Math.abs(baseline),
    standardError: beyond(comparison, comparison.variant / baseline).standardError / Math.abs(baseline),
  };
}

/**
 * The interval of the relative lift that goes with an interval of the difference: all lifts λ - 1 at which variant - λ·control is
 * within `reach` of its standard errors of zero. So it leaves out zero exactly where the difference does, and holds the
 * level of `reach` where the delta method fails: at rates of 1 % the delta method's sequence left out the truth in 12 % of experiments,
 * because a small estimate of the lift comes with a small estimate of its error.
 *
 * Source: E. C. Fieller, "Some problems in interval estimation", JRSS B 16 (1954).
 *
 * @param reach in standard errors
 * @returns undefined while control's own mean is not known to differ from zero, as any lift is possible then
 */
export function liftInterval(
  comparison: Comparison,
  reach: number,
): readonly [low: number, high: number] | undefined {
  const { control, variant } = comparison;
  const [ofVariant, ofBoth, ofControl] = spreadOf(comparison);
  const square = reach * reach;
  const a = control * control - square * ofControl;
  if (!(a > 0)) return undefined;
  const b = control * variant - square * ofBoth;
  const c = variant * variant - square * ofVariant;
  const root = Math.sqrt(Math.max(0, b * b - a * c));
  const [low, high] = [(b - root) / a - 1, (b + root) / a - 1];
  return control > 0 ? [low, high] : [-high, -low];
}

/**
 * The variant against a limit that moves with control: how far it is above control's mean raised by that share of it, and how far that may be
 * from the truth. Zero lies outside of the effect's interval exactly where the share lies outside of Fieller's, and here nothing is divided
 * by control, so it says something at a control of zero too.
 *
 * @param share of control's size, as 0.1 for a limit of 10 % above control; below zero for one below it
 */
export function excessOver(comparison: Comparison, share: number): Effect {
  return beyond(comparison, comparison.control < 0 ? 1 - share : 1 + share);
}
