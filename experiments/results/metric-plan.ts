import type { Experiment } from '../definition.ts';
import type { MetricDefinition } from '../metric-definition.ts';
import type { MetricPlan } from '../statistics/analysis/input.ts';

/** A metric as it is analysed, and where its sums are. */
export interface PlannedMetric {
  readonly plan: MetricPlan;
  /** The sums' name in the tallies: the metric's own, or its source's. */
  readonly tally: string;
  /** Where values are capped when they are read; undefined: they were capped when they were counted, or never. */
  readonly cap?: number;
}

/** A metric that is not analysed, and why. */
export interface LeftOut {
  readonly metric: string;
  readonly reason: string;
}

/** The metrics of an experiment's file. */
export function planMetrics({
  metrics,
  guardrails,
}: Pick<Experiment, 'metrics' | 'guardrails'>): readonly PlannedMetric[] {
  return metrics.flatMap((metric): readonly PlannedMetric[] => {
    const source = 'source' in metric ? metric.source : 'outcome';
    // A size of the variant, not a value of its units.
    if (source === 'drift') return [];
    const margin = guardrails.find((guardrail) => guardrail.metric === metric.name)?.maximumHarm;
    const isBuiltIn = source !== 'outcome';
    const cap = 'cap' in metric && metric.cap?.kind === 'value' ? metric.cap.value : undefined;
    return [
      {
        plan: planOf(metric, margin),
        tally: isBuiltIn ? source : metric.name,
        ...(isBuiltIn && cap !== undefined && { cap }),
      },
    ];
  });
}

function planOf(metric: MetricDefinition, margin: number | undefined): MetricPlan {
  const { name, role, direction, minimumEffect, windowMs } = metric;
  const isBuiltIn = 'source' in metric && metric.source !== 'outcome';
  const base = {
    name,
    role,
    direction,
    entersByItself: isBuiltIn || windowMs !== undefined,
    ...(minimumEffect !== undefined && { minimumEffect }),
    ...(margin !== undefined && { margin }),
  };
  switch (metric.kind) {
    case 'ratio':
      return { ...base, type: metric.kind };
    case 'proportion':
      return { ...base, type: metric.kind, ...(metric.covariate !== undefined && { covariate: true }) };
    case 'mean':
    case 'count':
      return {
        ...base,
        type: metric.kind,
        ...(metric.covariate !== undefined && { covariate: true }),
        ...(metric.cap?.kind === 'quantile' && { winsorise: metric.cap.quantile }),
      };
    case 'quantile':
      return { ...base, type: metric.kind, quantile: metric.quantile };
  }
}

const SHOWN = { role: 'secondary', direction: 'decrease', entersByItself: true } as const;

/** What the gateway measures by itself, whatever the experiment's file says; it is shown and decides nothing. */
export const BUILT_IN_PLANS: readonly PlannedMetric[] = [
  { plan: { ...SHOWN, name: 'error_rate', type: 'proportion' }, tally: 'error_rate' },
  { plan: { ...SHOWN, name: 'client_error_rate', type: 'proportion' }, tally: 'client_error_rate' },
  { plan: { ...SHOWN, name: 'cache_hits', type: 'proportion', direction: 'increase' }, tally: 'cache_hits' },
  { plan: { ...SHOWN, name: 'confidence', type: 'mean', direction: 'increase' }, tally: 'confidence' },
  ...['latency', 'queue', 'compute'].flatMap((source) =>
    [0.5, 0.99].map((quantile): PlannedMetric => ({
      plan: { ...SHOWN, name: `${source}_p${quantile * 100}`, type: 'quantile', quantile },
      tally: source,
    })),
  ),
];
