import type { Experiment } from '../definition.ts';
import type { Guardrail } from '../metric-definition.ts';
import { quantileOf } from '../statistics/estimates/quantile.ts';
import { DEFAULT_SETTINGS } from '../statistics/analysis/input.ts';
import { meanStrata, unitsOf } from '../statistics/analysis/strata.ts';
import {
  compareMeanWith,
  compareQuantileWith,
  compareRatioWith,
  compareShareWith,
} from '../statistics/sequential/one-sample.ts';
import type { OneSample } from '../statistics/sequential/one-sample.ts';
import { mergeStates } from '../statistics/states/metric-state.ts';
import type { MetricState } from '../statistics/states/metric-state.ts';
import type { Tallies } from '../stores/tallies.ts';
import { metricState, refuseFlattened, UnfitTally } from './metric-states.ts';
import { planMetrics } from './metric-plan.ts';
import type { PlannedMetric } from './metric-plan.ts';
import { ownValue } from '../named-values.ts';

/** A fixed value that a metric may not cross. */
export interface Threshold {
  readonly metric: string;
  readonly bound: 'minimum' | 'maximum';
  readonly value: number;
}

/** How a variant stands against a threshold. */
export interface ThresholdResult extends Threshold {
  readonly variant: string;
  /** Units that have a value. */
  readonly units: number;
  /** The variant's own value, over all epochs; null while it has none. */
  readonly estimate: number | null;
  /** Always-valid, of the variant's value being the threshold. */
  readonly p: number;
  /**
   * `within`: the value is on the right side. `beyond`: on the wrong one for sure, at all looks together. `open`: on the wrong one, which
   * may be chance. `no_data`: there is no value. `unfit`: the values can't be analysed, as `reason` says.
   */
  readonly outcome: 'within' | 'beyond' | 'open' | 'no_data' | 'unfit';
  readonly reason?: string;
}

/** The absolute thresholds of an experiment's guardrails. */
export function thresholdsOf(guardrails: readonly Guardrail[]): readonly Threshold[] {
  return guardrails.flatMap(({ metric, minimum, maximum }): readonly Threshold[] => [
    ...(minimum === undefined ? [] : [{ metric, bound: 'minimum' as const, value: minimum }]),
    ...(maximum === undefined ? [] : [{ metric, bound: 'maximum' as const, value: maximum }]),
  ]);
}

/**
 * Holds a variant against the absolute thresholds.
 *
 * @param alpha the level of each threshold
 */
export function thresholdResults(
  experiment: Experiment,
  variant: string,
  tallies: Tallies,
  alpha: number,
): readonly ThresholdResult[] {
  const planned = planMetrics(experiment);
  return thresholdsOf(experiment.guardrails).flatMap((threshold) => {
    const metric = planned.find(({ plan }) => plan.name === threshold.metric);
    return metric === undefined ? [] : [resultOf(threshold, metric, variant, tallies, alpha)];
  });
}

/** All variants, the control too, at the level of the guardrails, which is split over variants and thresholds. */
export function allThresholdResults(experiment: Experiment, tallies: Tallies): readonly ThresholdResult[] {
  const { guardrails, variants } = experiment;
  const tests = thresholdsOf(guardrails).length * variants.length;
  if (tests === 0) return [];
  return variants.flatMap(({ name }) =>
    thresholdResults(experiment, name, tallies, DEFAULT_SETTINGS.alpha / tests),
  );
}

function resultOf(
  threshold: Threshold,
  metric: PlannedMetric,
  variant: string,
  tallies: Tallies,
  alpha: number,
): ThresholdResult {
  const { bound, value } = threshold;
  try {
    const { measured, units } = measure(metric, variant, tallies, value, alpha);
    const result = { ...threshold, variant, units };
    if (measured === undefined) return { ...result, estimate: null, p: 1, outcome: 'no_data' };
    const { estimate, p } = measured;
    const isBeyond = bound === 'maximum' ? estimate > value : estimate < value;
    const outcome = !isBeyond ? 'within' : p < alpha ? 'beyond' : 'open';
    return { ...result, estimate, p, outcome };
  } catch (error) {
    if (!(error instanceof UnfitTally)) throw error;
    return {
      ...threshold,
      variant,
      units: 0,
      estimate: null,
      p: 1,
      outcome: 'unfit',
      reason: error.message,
    };
  }
}

/**
 * Over all epochs: a fixed value is the same in all of them.
 *
 * @throws UnfitTally
 */
function measure(
  planned: PlannedMetric,
  variant: string,
  tallies: Tallies,
  value: number,
  alpha: number,
): { readonly measured: OneSample | undefined; readonly units: number } {
  const metric = withoutCovariate(planned);
  const { plan } = metric;
  const states = statesOf(metric, tallies, (name) => name === variant);
  const units = states.reduce((total, state) => total + unitsOf(state), 0);
  const [first, ...others] = states;
  if (first === undefined || units === 0) return { measured: undefined, units };
  const state = others.reduce<MetricState>(mergeStates, first);
  const tuning = { plannedTime: DEFAULT_SETTINGS.plannedUnits / 2, alpha: DEFAULT_SETTINGS.alpha };
  if (plan.type === 'quantile') {
    if (state.kind !== 'histogram') return { measured: undefined, units };
    const estimate = quantileOf([{ histogram: state.histogram, weight: 1 }], plan.quantile);
    if (estimate === undefined) return { measured: undefined, units };
    return { measured: compareQuantileWith(state.histogram, plan.quantile, estimate, value, tuning), units };
  }
  if (plan.type === 'ratio' && state.kind === 'pair') {
    return { measured: compareRatioWith(state.moments, value, alpha, tuning), units };
  }
  if (state.kind === 'proportion') {
    return { measured: compareShareWith(state.units, state.successes, value, tuning), units };
  }
  // What values are capped at is one for all variants, as in the comparison of them.
  const all = statesOf(metric, tallies, () => true);
  refuseFlattened(metric, all);
  const { strata } = meanStrata(plan, [{ control: state, variant: state }], all);
  const [stratum] = strata;
  return { measured: stratum && compareMeanWith(stratum.variant, value, alpha, tuning), units };
}

/**
 * A covariate takes out what two arms differ by from before. An arm's own mean is no better known for it, as the covariate's true mean
 * isn't known either.
 */
function withoutCovariate(metric: PlannedMetric): PlannedMetric {
  const { plan } = metric;
  return 'covariate' in plan ? { ...metric, plan: { ...plan, covariate: false } } : metric;
}

/** @throws UnfitTally */
function statesOf(
  metric: PlannedMetric,
  { epochs }: Tallies,
  isAskedFor: (variant: string) => boolean,
): readonly MetricState[] {
  return epochs.flatMap(({ variants }) =>
    Object.entries(variants).flatMap(([name, { metrics }]) => {
      const sums = isAskedFor(name) ? ownValue(metrics, metric.tally) : undefined;
      return sums === undefined ? [] : [metricState(metric, sums)];
    }),
  );
}
