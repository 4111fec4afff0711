import type { Experiment } from '../definition.ts';
import type { Guardrail } from '../metric-definition.ts';
import { metricState, UnfitTally } from '../results/metric-states.ts';
import { planMetrics } from '../results/metric-plan.ts';
import type { PlannedMetric } from '../results/metric-plan.ts';
import { quantileOf } from '../statistics/estimates/quantile.ts';
import { DEFAULT_SETTINGS } from '../statistics/analysis/input.ts';
import { meanStrata } from '../statistics/analysis/strata.ts';
import { compareMeanWith, compareQuantileWith } from '../statistics/sequential/one-sample.ts';
import type { OneSample } from '../statistics/sequential/one-sample.ts';
import { mergeStates } from '../statistics/states/metric-state.ts';
import type { MetricState } from '../statistics/states/metric-state.ts';
import type { Tallies } from '../stores/tallies.ts';
import { figure } from './figure.ts';
import type { Finding } from './judgement.ts';

/** A fixed value that a metric may not cross. */
export interface Threshold {
  readonly metric: string;
  readonly bound: 'minimum' | 'maximum';
  readonly value: number;
}

/** The absolute thresholds of an experiment's guardrails. */
export function thresholdsOf(guardrails: readonly Guardrail[]): readonly Threshold[] {
  return guardrails.flatMap(({ metric, minimum, maximum }): readonly Threshold[] => [
    ...(minimum === undefined ? [] : [{ metric, bound: 'minimum' as const, value: minimum }]),
    ...(maximum === undefined ? [] : [{ metric, bound: 'maximum' as const, value: maximum }]),
  ]);
}

/**
 * Holds a variant against the absolute thresholds: it fails where its value is beyond one for sure, at every look together; it is
 * inconclusive where the value that is seen is beyond, and that may still be chance.
 *
 * @param alpha the level of each threshold
 */
export function thresholdFindings(
  experiment: Experiment,
  variant: string,
  tallies: Tallies,
  alpha: number,
): readonly Finding[] {
  const { planned } = planMetrics(experiment);
  return thresholdsOf(experiment.guardrails).flatMap((threshold) => {
    const metric = planned.find(({ plan }) => plan.name === threshold.metric);
    return metric === undefined ? [] : [findingOf(threshold, metric, variant, tallies, alpha)];
  });
}

function findingOf(
  { metric: name, bound, value }: Threshold,
  metric: PlannedMetric,
  variant: string,
  tallies: Tallies,
  alpha: number,
): Finding {
  const finding = (outcome: Finding['outcome'], message: string): Finding => ({
    source: 'threshold',
    name,
    outcome,
    message,
  });
  try {
    const { measured, units } = measure(metric, variant, tallies, value, alpha);
    if (measured === undefined) return finding('no_data', `${name} of ${variant} has no value yet`);
    const isBeyond = bound === 'maximum' ? measured.estimate > value : measured.estimate < value;
    const seen = `${name} of ${variant} is ${figure(measured.estimate)} over ${units} units, and its ${bound} is ${figure(value)}`;
    if (!isBeyond) return finding('pass', seen);
    return measured.p < alpha
      ? finding('fail', `${seen}: beyond it for sure (p ${figure(measured.p)})`)
      : finding('inconclusive', `${seen}: beyond it, which may be chance (p ${figure(measured.p)})`);
  } catch (error) {
    if (!(error instanceof UnfitTally)) throw error;
    return finding('unhealthy', `${name} can't be held against its ${bound}: ${error.message}`);
  }
}

/** Over all epochs: a fixed value is the same in all of them. */
function measure(
  metric: PlannedMetric,
  variant: string,
  tallies: Tallies,
  value: number,
  alpha: number,
): { readonly measured: OneSample | undefined; readonly units: number } {
  const { plan, tally } = metric;
  const sums = tallies.epochs.flatMap(({ variants }) => variants[variant]?.metrics[tally] ?? []);
  const units = sums.reduce((total, sum) => total + sum.units, 0);
  const [first, ...others] = sums.map((sum) => metricState(metric, sum));
  if (first === undefined || units === 0) return { measured: undefined, units };
  const state = others.reduce<MetricState>(mergeStates, first);
  const tuning = { plannedTime: DEFAULT_SETTINGS.plannedUnits / 2, alpha: DEFAULT_SETTINGS.alpha };
  if (plan.type === 'quantile') {
    if (state.kind !== 'histogram') return { measured: undefined, units };
    const estimate = quantileOf([{ histogram: state.histogram, weight: 1 }], plan.quantile);
    if (estimate === undefined) return { measured: undefined, units };
    return { measured: compareQuantileWith(state.histogram, plan.quantile, estimate, value, tuning), units };
  }
  const { strata } = meanStrata(plan, [{ control: state, variant: state }], [state]);
  const [stratum] = strata;
  return { measured: stratum && compareMeanWith(stratum.variant, value, alpha, tuning), units };
}
