import { meanStrata } from '../../experiments/statistics/analysis/strata.ts';
import { thompsonWeights } from '../../experiments/statistics/bandit.ts';
import { compareArms } from '../../experiments/statistics/estimates/comparison.ts';
import type { Comparison } from '../../experiments/statistics/estimates/comparison.ts';
import { emptyState, mergeStates, observe } from '../../experiments/statistics/states/metric-state.ts';
import type { MetricState } from '../../experiments/statistics/states/metric-state.ts';
import { ALPHA, believedSequence } from './believed-sequence.ts';
import { plan } from './means.ts';
import type { Scenario } from './scenario.ts';

/** Units between two looks. */
const LOOK_EVERY = 100;

/** Units between two changes of the weights. */
const REWEIGH_EVERY = 1000;

/** Draws for the weights: fewer than the product's, as they only add to the weights' noise. */
const DRAWS = 1000;

type Event =
  | 'the sequence leaves out the true difference at some look'
  | 'epochs pooled: the sequence leaves out the true difference'
  | 'the variant has 80 % of the weight or more at the end';

interface Epoch {
  control: MetricState;
  variant: MetricState;
}

const METRIC = plan('proportion');

/**
 * A bandit over two variants, which moves the weights every 1,000 units by the product's own functions, within a floor of 5 %, while
 * the rate of both doubles on the way.
 *
 * @param units of each experiment
 * @param effect how much higher the variant's rate is, absolutely
 */
export function banditScenario(units: number, effect: number): Scenario<Event> {
  return {
    name: `bandit, 5 % to 95 %, rates from 10 % to 20 %, ${effect === 0 ? 'A/A' : `A/B +${100 * effect} points`}`,
    claims: {
      'the sequence leaves out the true difference at some look': { kind: 'at most', rate: ALPHA },
      'epochs pooled: the sequence leaves out the true difference': { kind: 'contrast' },
      'the variant has 80 % of the weight or more at the end': { kind: 'contrast' },
    },
    run(random) {
      let weight = 50;
      const epochs: Epoch[] = [];
      let [missed, missedPooled] = [false, false];
      let epoch: Epoch = { control: emptyState('proportion'), variant: emptyState('proportion') };
      epochs.push(epoch);
      for (let unit = 1; unit <= units; unit += 1) {
        const arm = 100 * random() < weight ? 'variant' : 'control';
        const rate = 0.1 * (1 + unit / units) + (arm === 'variant' ? effect : 0);
        epoch[arm] = observe(epoch[arm], { value: random() < rate ? 1 : 0 });
        if (unit % LOOK_EVERY === 0) {
          missed ||= leavesOut(compared(epochs), effect);
          missedPooled ||= leavesOut(compared([pooled(epochs)]), effect);
        }
        if (unit % REWEIGH_EVERY !== 0) continue;
        const next = weightOf(compared(epochs), random);
        if (next === undefined || next === weight) continue;
        weight = next;
        epoch = { control: emptyState('proportion'), variant: emptyState('proportion') };
        epochs.push(epoch);
      }
      return {
        'the sequence leaves out the true difference at some look': missed,
        'epochs pooled: the sequence leaves out the true difference': missedPooled,
        'the variant has 80 % of the weight or more at the end': weight >= 80,
      };
    },
  };
}

function compared(epochs: readonly Epoch[]): Comparison | undefined {
  const states = epochs.flatMap(({ control, variant }) => [control, variant]);
  return compareArms(meanStrata(METRIC, epochs, states).strata);
}

function leavesOut(comparison: Comparison | undefined, truth: number): boolean {
  const sequence = believedSequence(comparison);
  return sequence !== undefined && (sequence.interval[0] > truth || sequence.interval[1] < truth);
}

function pooled(epochs: readonly Epoch[]): Epoch {
  return epochs.reduce((all, epoch) => ({
    control: mergeStates(all.control, epoch.control),
    variant: mergeStates(all.variant, epoch.variant),
  }));
}

/** The variant's next weight, by the product's own draws; undefined while nothing is known of it. */
export function weightOf(comparison: Comparison | undefined, random: () => number): number | undefined {
  if (comparison === undefined) return undefined;
  const deviations = [comparison.controlVariance, comparison.variantVariance].map(Math.sqrt);
  const [ofControl = 0, ofVariant = 0] = deviations;
  if (ofControl === 0 || ofVariant === 0) return undefined;
  const limits = { floor: 5, ceiling: 95 };
  return thompsonWeights(
    [
      { name: 'control', mean: comparison.control, deviation: ofControl, ...limits },
      { name: 'variant', mean: comparison.variant, deviation: ofVariant, ...limits },
    ],
    'increase',
    random,
    100,
    DRAWS,
  ).variant;
}
