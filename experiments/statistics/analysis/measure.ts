import type { Direction } from '../bayesian/normal-posterior.ts';
import type { AnalysisSettings, MetricPlan } from './input.ts';
import type { MetricResult } from './results.ts';

/** What a metric of a variant is measured with. */
export interface MeasureContext {
  readonly variant: string;
  readonly settings: AnalysisSettings;
  /** The metric's level, after the split. */
  readonly alpha: number;
  /** Effective units that one unit of all variants brings, with the weights of now. */
  readonly effectivePerUnit: number;
  readonly unitsPerDay: number | undefined;
}

/** A metric's result before the correction over all metrics, and what the verdict wants to know besides. */
export interface Measured {
  readonly result: Omit<MetricResult, 'adjustedP' | 'outcome'>;
  /** Whether there are enough units for the sequence to be believed. */
  readonly believed: boolean;
  readonly futile: boolean;
  /** What it changed by, on the metric's own scale. */
  readonly change: number;
  /** Whether it is surely worse by more than its margin. */
  readonly isBeyondMargin: boolean;
}

/** The smallest relative change worth finding, where a metric doesn't say. */
const MINIMUM_EFFECT = 0.05;

export function minimumEffectOf(plan: MetricPlan): number {
  return plan.minimumEffect ?? MINIMUM_EFFECT;
}

/** Whether an interval of the lift rules out that the metric got better by its minimum effect. */
export function isFutile(
  interval: readonly [low: number | null, high: number | null] | null,
  direction: Direction,
  minimumEffect: number,
): boolean {
  if (interval === null) return false;
  const [low, high] = interval;
  return direction === 'increase'
    ? high !== null && high < minimumEffect
    : low !== null && low > -minimumEffect;
}
