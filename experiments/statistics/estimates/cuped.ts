import { variance } from '../states/mean-state.ts';
import { mergePairs } from '../states/pair-state.ts';
import type { PairState } from '../states/pair-state.ts';
import type { Centring } from './comparison.ts';
import { stratumWeight } from './stratum-weight.ts';

/** How a covariate from before the exposure is taken out of an outcome. */
export interface CovariateAdjustment {
  /** The slope of the outcome on the covariate. */
  readonly theta: number;
  /** The covariate's mean, with the epochs' weights, as the means that it is taken out of have them: these stay on the outcome's scale. */
  readonly centre: number;
  /** The share of the variance that it takes away, 0 to 1: the squared correlation. */
  readonly varianceReduction: number;
}

/**
 * CUPED: the slope that takes the most variance out of the difference of two arms. One slope for both arms and all epochs, from
 * deviations from each epoch's mean, so that what differs between epochs is not taken for a slope.
 *
 * The covariate has to be known before the exposure; one that the variant can change biases the difference.
 *
 * Source: A. Deng, Y. Xu, R. Kohavi and T. Walker, "Improving the sensitivity of online controlled experiments by utilizing
 * pre-experiment data", WSDM 2013, equations 4 and 5.
 *
 * @param epochs the pairs (outcome, covariate) of both arms, per epoch
 */
export function adjustForCovariate(
  epochs: readonly { readonly control: PairState; readonly variant: PairState }[],
): CovariateAdjustment {
  let [outcome, covariate, comoment] = [0, 0, 0];
  let [weights, centre] = [0, 0];
  for (const { control, variant } of epochs) {
    const both = mergePairs(control, variant);
    outcome += both.x.m2;
    covariate += both.y.m2;
    comoment += both.comoment;
    const weight = stratumWeight(control.x.n, variant.x.n);
    weights += weight;
    centre += weight * both.y.mean;
  }
  centre = weights === 0 ? 0 : centre / weights;
  if (covariate === 0 || outcome === 0) return { theta: 0, centre, varianceReduction: 0 };
  return {
    theta: comoment / covariate,
    centre,
    varianceReduction: (comoment * comoment) / (outcome * covariate),
  };
}

/**
 * What the means of both arms in one epoch have in common once the covariate is taken out of them: the slope times the covariate's mean, which is that
 * of both arms' units.
 *
 * Each unit has a part in its arm's mean and in the centre, so the two covary where the slope of an arm is another than that of both, as under a
 * variant that multiplies.
 */
export function centringOf(
  { control, variant }: { readonly control: PairState; readonly variant: PairState },
  theta: number,
): Centring {
  const units = control.x.n + variant.x.n;
  const varianceOf = ({ y }: PairState): number => (y.n * variance(y)) / (units * units);
  const withRest = ({ comoment, y }: PairState): number =>
    y.n < 2 ? 0 : (comoment - theta * y.m2) / ((y.n - 1) * units);
  return {
    variance: theta * theta * (varianceOf(control) + varianceOf(variant)),
    withControl: theta * withRest(control),
    withVariant: theta * withRest(variant),
  };
}
