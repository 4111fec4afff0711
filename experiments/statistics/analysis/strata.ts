import { proportionStrata } from '../estimates/proportion.ts';
import type { Counts } from '../estimates/proportion.ts';
import { ratioStrata } from '../estimates/ratio.ts';
import { adjustForCovariate, centringOf } from '../estimates/cuped.ts';
import type { CovariateAdjustment } from '../estimates/cuped.ts';
import type { Stratum } from '../estimates/comparison.ts';
import { sampleOfMean, sampleOfProportion, sampleWithCovariate } from '../estimates/sample.ts';
import type { Sample } from '../estimates/sample.ts';
import { bucketOfPercentile, winsorisedMoments } from '../estimates/winsorise.ts';
import type { MetricState } from '../states/metric-state.ts';
import type { PairState } from '../states/pair-state.ts';
import type { EpochState, MetricPlan } from './input.ts';
import { ownValue } from '../../named-values.ts';

/** A metric's state of both arms, in one epoch. */
export interface StatePair {
  readonly control: MetricState;
  readonly variant: MetricState;
  /** The epoch's place in the order in which epochs were first seen; left out: its place in the list. */
  readonly position?: number;
}

/** What an epoch has of a metric of a variant. */
export function stateOf({ variants }: EpochState, variant: string, metric: string): MetricState | undefined {
  const state = ownValue(variants, variant);
  return state && ownValue(state.metrics, metric);
}

/** The epochs in which both arms have a state of the metric. */
export function statePairs(
  epochs: readonly EpochState[],
  metric: string,
  control: string,
  variant: string,
): readonly StatePair[] {
  return epochs.flatMap((epoch, index) => {
    const pair = {
      control: stateOf(epoch, control, metric),
      variant: stateOf(epoch, variant, metric),
    };
    return pair.control === undefined || pair.variant === undefined
      ? []
      : [{ control: pair.control, variant: pair.variant, position: epoch.position ?? index }];
  });
}

/** A metric that is a mean of some kind, ready to be compared. */
export interface MeanStrata {
  readonly strata: readonly Stratum[];
  /** What the covariate did, where there is one. */
  readonly adjustment?: CovariateAdjustment;
}

/**
 * Turns the states of a mean, count, proportion or ratio into samples.
 *
 * @param allStates of every variant and epoch, for what has to be the same in all, as a cap
 * @throws TypeError when a state is not of the kind that the plan keeps
 */
export function meanStrata(
  plan: Exclude<MetricPlan, { readonly type: 'quantile' }>,
  pairs: readonly StatePair[],
  allStates: readonly MetricState[],
): MeanStrata {
  if (plan.type === 'ratio') return { strata: ratioStrata(pairs.map((pair) => momentsOf(plan, pair))) };
  if (plan.covariate === true) {
    const moments = pairs.map((pair) => momentsOf(plan, pair));
    const adjustment = adjustForCovariate(moments);
    const { theta, centre } = adjustment;
    const strata = moments.map((epoch) => ({
      control: sampleWithCovariate(epoch.control, theta, centre),
      variant: sampleWithCovariate(epoch.variant, theta, centre),
      centring: centringOf(epoch, theta),
    }));
    return { strata, adjustment };
  }
  const counts = pairs.flatMap(({ control, variant }) =>
    control.kind === 'proportion' && variant.kind === 'proportion'
      ? [{ control: countsOf(control), variant: countsOf(variant) }]
      : [],
  );
  if (plan.type === 'proportion' && counts.length === pairs.length)
    return { strata: proportionStrata(counts) };
  const sampleOf = samplerFor(plan, allStates);
  const strata = pairs.map(({ control, variant }) => ({
    control: sampleOf(control),
    variant: sampleOf(variant),
  }));
  return { strata };
}

function samplerFor(plan: MetricPlan, allStates: readonly MetricState[]): (state: MetricState) => Sample {
  const winsorise = plan.type === 'mean' || plan.type === 'count' ? plan.winsorise : undefined;
  const histograms = allStates.flatMap((state) => (state.kind === 'histogram' ? [state.histogram] : []));
  const cap = winsorise === undefined ? undefined : bucketOfPercentile(histograms, winsorise);
  return (state) => {
    switch (state.kind) {
      case 'proportion':
        return sampleOfProportion(state.units, state.successes);
      case 'mean':
        return sampleOfMean(state.moments);
      case 'histogram':
        return sampleOfMean(winsorisedMoments(state.histogram, cap ?? Infinity));
      case 'pair':
        throw wrongKind(plan, state);
    }
  };
}

function momentsOf(
  plan: MetricPlan,
  { control, variant }: StatePair,
): { readonly control: PairState; readonly variant: PairState } {
  return { control: pairOf(plan, control), variant: pairOf(plan, variant) };
}

function countsOf({ units, successes }: Extract<MetricState, { readonly kind: 'proportion' }>): Counts {
  return [units, successes];
}

function pairOf(plan: MetricPlan, state: MetricState): PairState {
  if (state.kind !== 'pair') throw wrongKind(plan, state);
  return state.moments;
}

function wrongKind(plan: MetricPlan, state: MetricState): TypeError {
  return new TypeError(`metric "${plan.name}" of type ${plan.type} has a state of kind ${state.kind}`);
}

/** How many units have an outcome in a state. */
export function unitsOf(state: MetricState): number {
  switch (state.kind) {
    case 'proportion':
      return state.units;
    case 'mean':
      return state.moments.n;
    case 'pair':
      return state.moments.x.n;
    case 'histogram':
      return Object.values(state.histogram.counts).reduce((sum, count) => sum + count, state.histogram.zeros);
  }
}
