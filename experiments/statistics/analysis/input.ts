import type { Direction, LiftPrior } from '../bayesian/normal-posterior.ts';
import type { Correction } from '../corrections.ts';
import type { Distribution } from '../drift.ts';
import type { AssignmentCounts } from '../sample-ratio.ts';
import type { MetricState, StateKind } from '../states/metric-state.ts';

/**
 * What a metric decides: a `goal` is what the experiment is for, a `guardrail` is what must not get worse, a `secondary` is shown.
 */
export type MetricRole = 'goal' | 'secondary' | 'guardrail';

interface AnyMetric {
  readonly name: string;
  readonly role: MetricRole;
  /** The direction in which it gets better. */
  readonly direction: Direction;
  /**
   * The smallest relative change worth finding, > 0: 0.05 is 5 %. The planned power is for it, and a variant whose goals are surely improved by less is not worth shipping.
   * Default 0.05.
   */
  readonly minimumEffect?: number;
  /** The relative worsening that a guardrail puts up with, >= 0. Default 0. */
  readonly margin?: number;
  /**
   * Whether units have a value without anybody sending one: the gateway measures it, or the metric has a window, at whose end
   * they enter. Units without a value are then no sign of lost outcomes. Default false.
   */
  readonly entersByItself?: boolean;
}

/** How a metric is defined, as far as statistics need to know. */
export type MetricPlan =
  | (AnyMetric & { readonly type: 'proportion'; readonly covariate?: boolean })
  | (AnyMetric & {
      readonly type: 'mean' | 'count';
      /** Whether each value comes with a covariate from before the exposure. */
      readonly covariate?: boolean;
      /** The share of values, over all arms, above which they are capped, as 0.99. Not together with a covariate. */
      readonly winsorise?: number;
    })
  | (AnyMetric & { readonly type: 'ratio' })
  | (AnyMetric & {
      readonly type: 'quantile';
      /** 0 to 1, as 0.99. */
      readonly quantile: number;
    });

/** The kind of state in which a metric's outcomes are kept. */
export function stateKindOf(plan: MetricPlan): StateKind {
  switch (plan.type) {
    case 'proportion':
      return plan.covariate === true ? 'pair' : 'proportion';
    case 'mean':
    case 'count':
      if (plan.winsorise !== undefined) return 'histogram';
      return plan.covariate === true ? 'pair' : 'mean';
    case 'ratio':
      return 'pair';
    case 'quantile':
      return 'histogram';
  }
}

/** What one variant saw in one epoch. */
export interface VariantState {
  /** Units whose first exposure in this phase fell into this epoch. */
  readonly units: number;
  /** Requests of theirs, all counted. */
  readonly exposures: number;
  /** By the metric's name. A unit is in a metric's state once, when its window has closed. */
  readonly metrics: Readonly<Record<string, MetricState>>;
  /** Units whose first request it took or turned away as a mistake of the caller's, and those of them that it turned away; left out: that isn't known. */
  readonly judged?: readonly [units: number, refused: number];
  /** `exposures` by the digest of the model that they were for; left out: that isn't known. */
  readonly models?: Readonly<Record<string, number>>;
  /** What the variant answered, by class or score bucket, for drift. */
  readonly outputs?: Distribution;
}

/** A time in which the weights stood still. */
export interface EpochState {
  /** Its place in the order in which the phase's epochs were first seen, from 0; left out: its place in the list. */
  readonly position?: number;
  /** By variant. */
  readonly weights: Readonly<Record<string, number>>;
  /** By variant; one that saw nothing may be missing. */
  readonly variants: Readonly<Record<string, VariantState>>;
}

/** First exposures broken down by one dimension, as `key` or `day`: by its value, one entry an epoch. */
export type Breakdown = Readonly<Record<string, readonly AssignmentCounts[]>>;

/** The levels at which an experiment is judged; fixed before its first look. */
export interface AnalysisSettings {
  /** The level of the goals together, and of the guardrails together. */
  readonly alpha: number;
  /** The level of the sample-ratio alarm and of the alarm of missing outcomes. */
  readonly healthAlpha: number;
  /** Of the goals over variants, and of the secondary metrics over variants. */
  readonly correction: Correction;
  /** The probability with which the minimum effect is to be found. */
  readonly power: number;
  /** Effective units at which the confidence sequences are tightest. */
  readonly plannedUnits: number;
  readonly prior: LiftPrior;
  /** The share of requests with an override above which the result isn't believed. */
  readonly mostOverrides: number;
  /** The share of units with an outcome below which the result isn't believed. */
  readonly leastOutcomes: number;
}

export const DEFAULT_SETTINGS: AnalysisSettings = Object.freeze({
  alpha: 0.05,
  healthAlpha: 0.001,
  correction: 'holm',
  power: 0.8,
  plannedUnits: 10_000,
  prior: 'flat',
  mostOverrides: 0.1,
  leastOutcomes: 0.5,
});

/** What is known of a metric that can't be analysed. */
export type UnfitMetric = Pick<AnyMetric, 'name' | 'role'>;

/** All that a result is computed from: plain data, whatever store it was in. */
export interface AnalysisInput {
  readonly experiment: string;
  readonly phase: number;
  readonly control: string;
  /** Control too. */
  readonly variants: readonly string[];
  readonly metrics: readonly MetricPlan[];
  /** The one in force comes last. */
  readonly epochs: readonly EpochState[];
  /** Requests that carried an override, of all requests to the experiment. */
  readonly requests: { readonly all: number; readonly overridden: number };
  /** By dimension. */
  readonly breakdowns?: Readonly<Record<string, Breakdown>>;
  /** Variants that are beyond a fixed value of a guardrail for sure; left out: none is. */
  readonly breached?: readonly string[];
  /** Metrics whose values can't be analysed: they are tests as all others, so that what is seen doesn't change the levels, and say nothing. */
  readonly unfit?: readonly UnfitMetric[];
  /** The role of the metrics whose outcomes have to be there for the rest to be believed; left out: `goal`. */
  readonly awaited?: MetricRole;
  /** New units a day, at today's traffic. */
  readonly unitsPerDay?: number;
  readonly settings?: AnalysisSettings;
}
