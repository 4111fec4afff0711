import { expect } from 'vitest';
import type {
  AnalysisInput,
  EpochState,
  MetricPlan,
  VariantState,
} from '../../../../experiments/statistics/analysis/input.ts';
import type { MetricResult, Results } from '../../../../experiments/statistics/analysis/results.ts';
import { histogramOf } from '../../../../experiments/statistics/states/log-histogram.ts';
import type { MetricState } from '../../../../experiments/statistics/states/metric-state.ts';
import { normal, seededRandom } from '../../../../bench/simulations/random.ts';

export const ACCEPTED: MetricPlan = {
  name: 'accepted',
  role: 'goal',
  direction: 'increase',
  type: 'proportion',
};

export const ERRORS: MetricPlan = {
  name: 'errors',
  role: 'guardrail',
  direction: 'decrease',
  type: 'proportion',
};

export const P99: MetricPlan = {
  name: 'latency-p99',
  role: 'guardrail',
  direction: 'decrease',
  type: 'quantile',
  quantile: 0.99,
  margin: 0.1,
};

export const proportion = (units: number, rate: number): MetricState => ({
  kind: 'proportion',
  units,
  successes: Math.round(units * rate),
});

/** Log-normal latencies with that median, in seconds. */
export function latencies(n: number, medianSeconds: number, seed = 1): MetricState {
  const random = seededRandom(seed);
  return {
    kind: 'histogram',
    histogram: histogramOf(Array.from({ length: n }, () => medianSeconds * Math.exp(0.3 * normal(random)))),
  };
}

export function arm(units: number, metrics: Readonly<Record<string, MetricState>>): VariantState {
  return { units, exposures: 3 * units, metrics };
}

/** Two variants, equal weights, whose `accepted` have these rates. */
export function epoch(unitsEach: number, control: number, variant: number): EpochState {
  return {
    weights: { v1: 1, v2: 1 },
    variants: {
      v1: arm(unitsEach, { accepted: proportion(unitsEach, control) }),
      v2: arm(unitsEach, { accepted: proportion(unitsEach, variant) }),
    },
  };
}

export function inputOf(epochs: readonly EpochState[], more: Partial<AnalysisInput> = {}): AnalysisInput {
  return {
    experiment: 'digits-cnn',
    phase: 1,
    control: 'v1',
    variants: ['v1', 'v2'],
    metrics: [ACCEPTED],
    epochs,
    requests: { all: 1000, overridden: 0 },
    ...more,
  };
}

/** The result of one metric of one variant. */
export function metricOf(results: Results, name = 'accepted', variant = 'v2'): MetricResult {
  return (
    results.metrics.find((metric) => metric.name === name && metric.variant === variant) ??
    expect.fail(`no metric ${name} of ${variant}`)
  );
}
