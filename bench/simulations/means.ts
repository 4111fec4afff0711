import { meanStrata } from '../../experiments/statistics/analysis/strata.ts';
import type { MetricPlan } from '../../experiments/statistics/analysis/input.ts';
import { stateKindOf } from '../../experiments/statistics/analysis/input.ts';
import type { MeanPlan } from '../../experiments/statistics/analysis/measure-mean.ts';
import {
  compareArms,
  difference,
  effectiveUnitsToBelieve,
  liftInterval,
  relativeLift,
} from '../../experiments/statistics/estimates/comparison.ts';
import { welch } from '../../experiments/statistics/estimates/welch.ts';
import type { Interval } from '../../experiments/statistics/estimates/welch.ts';
import {
  confidenceSequence,
  sequenceBoundary,
} from '../../experiments/statistics/sequential/confidence-sequence.ts';
import { emptyState, mergeStates, observe } from '../../experiments/statistics/states/metric-state.ts';
import type { MetricState, Observation } from '../../experiments/statistics/states/metric-state.ts';
import type { Scenario } from './scenario.ts';

const ALPHA = 0.05;
const TUNING = { plannedTime: 10_000, alpha: ALPHA };

/** Units between two looks. */
const LOOK_EVERY = 100;

interface MeanEpoch {
  readonly units: number;
  /** The share of the units that get the variant, 0 to 1. */
  readonly share: number;
}

/** How an experiment with one metric goes. */
export interface MeanExperiment {
  readonly name: string;
  readonly plan: MeanPlan;
  readonly epochs: readonly MeanEpoch[];
  /** What a unit's outcome is. */
  readonly draw: (random: () => number, inVariant: boolean, epoch: number) => Observation;
  /** The true difference and lift. */
  readonly truth: { readonly difference: number; readonly lift: number };
}

type Event =
  | 'the sequence leaves out the true difference at some look'
  | 'the sequence leaves out the true lift at some look'
  | 'by the delta method, the sequence leaves out the true lift'
  | "Welch's interval covers the true difference at the end"
  | "Welch's interval leaves out the true difference at some look"
  | 'epochs pooled: the sequence leaves out the true difference';

/**
 * Looks at an experiment after every 100 units. What the product computes is computed here by the product's own functions.
 *
 * @param coverage whether Welch's interval is claimed to cover 95 %
 */
export function meanScenario(experiment: MeanExperiment, coverage: 'claimed' | 'shown'): Scenario<Event> {
  const kind = stateKindOf(experiment.plan);
  return {
    name: experiment.name,
    claims: {
      'the sequence leaves out the true difference at some look': { kind: 'at most', rate: ALPHA },
      'the sequence leaves out the true lift at some look': { kind: 'at most', rate: ALPHA },
      'by the delta method, the sequence leaves out the true lift': { kind: 'contrast' },
      "Welch's interval covers the true difference at the end":
        coverage === 'claimed' ? { kind: 'equals', rate: 1 - ALPHA } : { kind: 'contrast' },
      "Welch's interval leaves out the true difference at some look": { kind: 'contrast' },
      'epochs pooled: the sequence leaves out the true difference': { kind: 'contrast' },
    },
    run(random) {
      const { truth } = experiment;
      const missed = { difference: false, lift: false, byDelta: false, welch: false, pooled: false };
      let last: Look | undefined;
      const epochs: { control: MetricState; variant: MetricState }[] = [];
      experiment.epochs.forEach(({ units, share }, index) => {
        const epoch = { control: emptyState(kind), variant: emptyState(kind) };
        epochs.push(epoch);
        for (let unit = 1; unit <= units; unit += 1) {
          const arm = random() < share ? 'variant' : 'control';
          epoch[arm] = observe(epoch[arm], experiment.draw(random, arm === 'variant', index));
          if (unit % LOOK_EVERY !== 0) continue;
          last = look(experiment.plan, epochs, truth.difference);
          missed.difference ||= leavesOut(last.difference, truth.difference);
          missed.lift ||= leavesOut(last.lift, truth.lift);
          missed.byDelta ||= leavesOut(last.byDelta, truth.lift);
          missed.welch ||= leavesOut(last.welch, truth.difference);
          if (epochs.length > 1) {
            missed.pooled ||= leavesOut(
              look(experiment.plan, [pool(epochs)], truth.difference).difference,
              truth.difference,
            );
          }
        }
      });
      return {
        'the sequence leaves out the true difference at some look': missed.difference,
        'the sequence leaves out the true lift at some look': missed.lift,
        'by the delta method, the sequence leaves out the true lift': missed.byDelta,
        "Welch's interval covers the true difference at the end":
          last?.welch !== undefined && !leavesOut(last.welch, truth.difference),
        "Welch's interval leaves out the true difference at some look": missed.welch,
        'epochs pooled: the sequence leaves out the true difference': missed.pooled,
      };
    },
  };
}

interface Look {
  readonly difference: Interval | undefined;
  readonly lift: Interval | undefined;
  readonly byDelta: Interval | undefined;
  readonly welch: Interval | undefined;
}

const NOTHING: Look = { difference: undefined, lift: undefined, byDelta: undefined, welch: undefined };

function look(
  plan: MeanPlan,
  epochs: readonly { control: MetricState; variant: MetricState }[],
  truth: number,
): Look {
  const { strata } = meanStrata(
    plan,
    epochs,
    epochs.flatMap(({ control, variant }) => [control, variant]),
  );
  const comparison = compareArms(strata);
  if (comparison === undefined) return NOTHING;
  const effect = difference(comparison);
  // Welch's interval is wider than this, so that it need not be computed where it covers for sure.
  const near = Math.abs(effect.estimate - truth) < 1.95 * effect.standardError;
  const fixed: Interval | undefined = near
    ? [truth, truth]
    : welch(effect, comparison.degreesOfFreedom, ALPHA)?.interval;
  const believed = comparison.effectiveUnits >= effectiveUnitsToBelieve(comparison);
  if (!believed) return { ...NOTHING, welch: fixed };
  const reach = sequenceBoundary(comparison.effectiveUnits, ALPHA, TUNING);
  const delta = relativeLift(comparison);
  return {
    difference: confidenceSequence(effect, comparison.effectiveUnits, ALPHA, TUNING)?.interval,
    lift: liftInterval(comparison, reach),
    byDelta: delta && confidenceSequence(delta, comparison.effectiveUnits, ALPHA, TUNING)?.interval,
    welch: fixed,
  };
}

function pool(epochs: readonly { control: MetricState; variant: MetricState }[]): {
  control: MetricState;
  variant: MetricState;
} {
  return epochs.reduce((all, epoch) => ({
    control: mergeStates(all.control, epoch.control),
    variant: mergeStates(all.variant, epoch.variant),
  }));
}

/** An interval that isn't there leaves out nothing. */
function leavesOut(interval: Interval | undefined, truth: number): boolean {
  return interval !== undefined && (interval[0] > truth || interval[1] < truth);
}

/** A metric of a simulation. */
export function plan(
  type: 'proportion' | 'mean',
  covariate = false,
): Exclude<MetricPlan, { type: 'quantile' }> {
  return { name: 'outcome', role: 'goal', direction: 'increase', type, covariate };
}

export const RATIO_PLAN: MeanPlan = { name: 'outcome', role: 'goal', direction: 'increase', type: 'ratio' };

export const WINSORISED_PLAN: MeanPlan = {
  name: 'outcome',
  role: 'goal',
  direction: 'increase',
  type: 'mean',
  winsorise: 0.99,
};
