import type { Experiment } from '../definition.ts';
import type { AnalysisInput, MetricPlan } from '../statistics/analysis/input.ts';
import { meanStrata, statePairs, stateOf } from '../statistics/analysis/strata.ts';
import { thompsonWeights } from '../statistics/bandit.ts';
import type { ArmBelief } from '../statistics/bandit.ts';
import { compareArms } from '../statistics/estimates/comparison.ts';
import type { Comparison } from '../statistics/estimates/comparison.ts';
import { TOTAL_WEIGHT } from './allocation.ts';
import { ownValue } from '../named-values.ts';

/** Weights that differ by less are the same but for the draws; each change opens an epoch. */
const LEAST_CHANGE = 2;

/** What a bandit makes of what is known. */
export type Reweighing =
  | { readonly kind: 'change'; readonly weights: Readonly<Record<string, number>> }
  /** Why the weights stay. */
  | { readonly kind: 'keep'; readonly why: 'too_few_units' | 'nothing_varies' | 'same' };

/**
 * The weights that a bandit gives the variants, from what is known of its metric.
 *
 * What it believes of a variant is its difference to the control within epochs of constant weights, so that a day on which all
 * did well is not taken for the variant that had most units that day. Variants whose weight in the file is 0 stay out.
 *
 * @param experiment with the weights in force
 * @param written by its file
 * @param input with the metric's states
 * @param random uniform on [0, 1)
 */
export function reweigh(
  experiment: Experiment,
  written: Experiment,
  input: AnalysisInput,
  random: () => number,
): Reweighing {
  const { allocation } = written;
  const plan = input.metrics.find(({ name }) => name === allocation?.metric);
  if (allocation === undefined || plan === undefined || plan.type === 'quantile')
    return { kind: 'keep', why: 'nothing_varies' };
  const arms = written.variants.filter(({ weight }) => weight > 0).map(({ name }) => name);
  const comparisons = new Map<string, Comparison>();
  for (const name of arms) {
    if (name === written.control.name) continue;
    const comparison = compared(input, plan, name);
    if (
      comparison === undefined ||
      Math.min(comparison.controlUnits, comparison.variantUnits) < allocation.minUnits
    ) {
      return { kind: 'keep', why: 'too_few_units' };
    }
    comparisons.set(name, comparison);
  }
  const beliefs = beliefsOf(arms, written.control.name, comparisons).map((belief) => ({
    ...belief,
    floor: allocation.floor,
    ceiling: allocation.ceiling,
  }));
  if (beliefs.some(({ deviation }) => !(deviation > 0))) return { kind: 'keep', why: 'nothing_varies' };
  const drawn = thompsonWeights(beliefs, plan.direction, random, TOTAL_WEIGHT);
  const total = experiment.variants.reduce((sum, { weight }) => sum + weight, 0);
  const weights = Object.fromEntries(written.variants.map(({ name }) => [name, ownValue(drawn, name) ?? 0]));
  const moves = experiment.variants.some(
    ({ name, weight }) =>
      Math.abs((ownValue(weights, name) ?? 0) - (weight / total) * TOTAL_WEIGHT) >= LEAST_CHANGE - 1e-9,
  );
  return moves ? { kind: 'change', weights } : { kind: 'keep', why: 'same' };
}

function compared(
  { epochs, control, variants }: AnalysisInput,
  plan: Exclude<MetricPlan, { readonly type: 'quantile' }>,
  variant: string,
): Comparison | undefined {
  const allStates = epochs.flatMap((epoch) =>
    variants.flatMap((name) => stateOf(epoch, name, plan.name) ?? []),
  );
  return compareArms(meanStrata(plan, statePairs(epochs, plan.name, control, variant), allStates).strata);
}

/** Each variant against the control, whose own error is that of the comparisons' average. */
function beliefsOf(
  arms: readonly string[],
  control: string,
  comparisons: ReadonlyMap<string, Comparison>,
): readonly Omit<ArmBelief, 'floor' | 'ceiling'>[] {
  const variances = [...comparisons.values()].map(({ controlVariance }) => controlVariance);
  const ofControl = variances.reduce((sum, variance) => sum + variance, 0) / variances.length;
  return arms.map((name) => {
    const comparison = comparisons.get(name);
    return comparison === undefined || name === control
      ? { name, mean: 0, deviation: Math.sqrt(ofControl) }
      : {
          name,
          mean: comparison.variant - comparison.control,
          deviation: Math.sqrt(comparison.variantVariance),
        };
  });
}
