import type { MetricDefinition } from './metric-definition.ts';

/** What counting needs to know of a metric: plain JSON, so that it travels with its outcomes. */
export interface CountedMetric {
  /** What outcomes call it. */
  readonly name: string;
  readonly kind: MetricDefinition['kind'];
  /**
   * Milliseconds from a unit's first exposure in which outcomes add up to its value; it enters the test when they have
   * passed. Left out: the unit's value is the outcome of its first exposure.
   */
  readonly windowMs?: number;
  /** A unit's value is taken as at most that, so that single large values don't decide; fixed beforehand. */
  readonly cap?: number;
  /** The outcome, known before the exposure, that is kept beside the unit's value. */
  readonly covariate?: string;
  /** The metrics that this one is the covariate of. */
  readonly adjusts?: readonly CountedMetric[];
  /** Whether the distribution of values is kept beside the sums: for a cap that is a quantile. */
  readonly histogram?: true;
}

/** The metrics of an experiment that callers send outcomes of, and the covariates of these, which need no entry of their own. */
export function countedMetrics(metrics: readonly MetricDefinition[]): readonly CountedMetric[] {
  const declared = declaredMetrics(metrics);
  const covariates = new Set(declared.flatMap(({ covariate }) => covariate ?? []));
  const all = [
    ...declared,
    ...[...covariates]
      .filter((name) => declared.every((metric) => metric.name !== name))
      .map((name): CountedMetric => ({ name, kind: 'mean' })),
  ];
  return all.map((metric) => {
    const adjusts = declared.filter(({ covariate }) => covariate === metric.name);
    return adjusts.length === 0 ? metric : { ...metric, adjusts };
  });
}

function declaredMetrics(metrics: readonly MetricDefinition[]): readonly CountedMetric[] {
  return metrics.flatMap((metric) => {
    if ('source' in metric && metric.source !== 'outcome') return [];
    const { name, kind, windowMs } = metric;
    const cap = 'cap' in metric ? metric.cap : undefined;
    const covariate = 'covariate' in metric ? metric.covariate : undefined;
    return [
      {
        name,
        kind,
        ...(windowMs !== undefined && { windowMs }),
        ...(covariate !== undefined && { covariate }),
        ...(cap?.kind === 'value' && { cap: cap.value }),
        ...(cap?.kind === 'quantile' && { histogram: true as const }),
      },
    ];
  });
}

/** A value as it is counted: `x`, over `y` where the metric is a ratio (1 otherwise). */
export interface MetricValue {
  readonly x: number;
  readonly y: number;
}

/** What is known of each request without an outcome, by its source's name; times in milliseconds. One request of a unit enters. */
const BUILT_IN_METRICS: readonly CountedMetric[] = [
  { name: 'error_rate', kind: 'proportion' },
  { name: 'client_error_rate', kind: 'proportion' },
  { name: 'cache_hits', kind: 'proportion' },
  { name: 'latency', kind: 'quantile' },
  { name: 'queue', kind: 'quantile' },
  { name: 'compute', kind: 'quantile' },
  { name: 'confidence', kind: 'quantile' },
];

export const BUILT_IN_BY_NAME: ReadonlyMap<string, CountedMetric> = new Map(
  BUILT_IN_METRICS.map((metric) => [metric.name, metric]),
);

/** Beyond it squares and sums would lose what is added to them. */
const LARGEST_VALUE = 1e15;

/**
 * Reads the value of an outcome.
 *
 * @param value a number; for a ratio also `{"numerator", "denominator"}`, where a number alone is over 1
 * @returns the value, or what would have been right
 */
export function readMetricValue(metric: CountedMetric, value: unknown): MetricValue | { expected: string } {
  switch (metric.kind) {
    case 'proportion':
      if (value === true || value === 1) return { x: 1, y: 1 };
      if (value === false || value === 0) return { x: 0, y: 1 };
      return { expected: '0, 1, false or true' };
    case 'count':
      return isAmount(value) && Number.isInteger(value) && value >= 0
        ? { x: value, y: 1 }
        : { expected: 'a whole number from 0 to 1e15' };
    case 'mean':
    case 'quantile':
      return isAmount(value) ? { x: value, y: 1 } : { expected: 'a number from -1e15 to 1e15' };
    case 'ratio':
      if (isAmount(value)) return { x: value, y: 1 };
      if (isFraction(value) && isAmount(value.numerator) && isAmount(value.denominator)) {
        return { x: value.numerator, y: value.denominator };
      }
      return { expected: 'a number, or {"numerator": …, "denominator": …}, from -1e15 to 1e15' };
  }
}

function isAmount(value: unknown): value is number {
  return typeof value === 'number' && Math.abs(value) <= LARGEST_VALUE;
}

function isFraction(value: unknown): value is { numerator: unknown; denominator: unknown } {
  return typeof value === 'object' && value !== null && 'numerator' in value && 'denominator' in value;
}
