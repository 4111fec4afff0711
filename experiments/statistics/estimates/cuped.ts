import { mergePairs } from '../states/pair-state.ts';
import type { PairState } from '../states/pair-state.ts';
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
