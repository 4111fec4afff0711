import { meanStrata, unitsOf } from '../../experiments/statistics/analysis/strata.ts';
import {
  compareArms,
  difference,
  liftInterval,
  relativeLift,
} from '../../experiments/statistics/estimates/comparison.ts';
import type { Comparison } from '../../experiments/statistics/estimates/comparison.ts';
import type { Sample } from '../../experiments/statistics/estimates/sample.ts';
import { welch } from '../../experiments/statistics/estimates/welch.ts';
import {
  confidenceSequence,
  sequenceBoundary,
} from '../../experiments/statistics/sequential/confidence-sequence.ts';
import { emptyState, observe } from '../../experiments/statistics/states/metric-state.ts';
import type { MetricState, Observation } from '../../experiments/statistics/states/metric-state.ts';
import { weightOf } from './bandits.ts';
import { ALPHA, believedSequence, TUNING } from './believed-sequence.ts';
import { RATIO_PLAN } from './means.ts';
import { geometric, normal } from './random.ts';
import type { Scenario } from './scenario.ts';

/** Units between two looks. */
const LOOK_EVERY = 100;

type Event =
  | 'the sequence leaves out the truth at some look'
  | 'without the burn-in: the sequence leaves out the truth'
  | "Welch's interval of the lift covers the truth at the end"
  | 'each epoch its own ratio, no burn-in: the same'
  | "each epoch its own ratio: Welch's covers the truth";

interface Epoch {
  control: MetricState;
  variant: MetricState;
}

/** How an experiment with one ratio goes. */
interface RatioExperiment {
  readonly name: string;
  readonly units: number;
  /** Units between two changes of the weights. */
  readonly epochUnits: number;
  /** The variant's weight out of 100 in the next epoch. */
  readonly weight: (known: Comparison | undefined, random: () => number) => number;
  /** A unit's numerator and denominator. `progress` goes from 0 to 1. */
  readonly draw: (random: () => number, inVariant: boolean, progress: number) => Observation;
  /** The true lift, the same in all epochs. */
  readonly lift: number;
}

/**
 * A ratio over many epochs, looked at after every 100 units. What the product computes is computed by the product's own functions; beside it stands what comes
 * of giving each epoch a ratio of its own.
 */
function ratioScenario(experiment: RatioExperiment): Scenario<Event> {
  const { units, epochUnits, lift } = experiment;
  return {
    name: experiment.name,
    claims: {
      'the sequence leaves out the truth at some look': { kind: 'at most', rate: ALPHA },
      'without the burn-in: the sequence leaves out the truth': { kind: 'contrast' },
      "Welch's interval of the lift covers the truth at the end": { kind: 'contrast' },
      'each epoch its own ratio, no burn-in: the same': { kind: 'contrast' },
      "each epoch its own ratio: Welch's covers the truth": { kind: 'contrast' },
    },
    run(random) {
      const epochs: Epoch[] = [];
      const missed = { together: false, unbelieved: false, apart: false };
      for (let before = 0; before < units; before += epochUnits) {
        const weight = experiment.weight(together(epochs), random);
        const epoch = { control: emptyState('pair'), variant: emptyState('pair') };
        epochs.push(epoch);
        for (let unit = before + 1; unit <= before + epochUnits; unit += 1) {
          const arm = 100 * random() < weight ? 'variant' : 'control';
          epoch[arm] = observe(epoch[arm], experiment.draw(random, arm === 'variant', unit / units));
          if (unit % LOOK_EVERY !== 0) continue;
          const known = together(epochs);
          missed.together ||= leavesOut(known, lift, true);
          missed.unbelieved ||= leavesOut(known, lift, false);
          missed.apart ||= leavesOut(apart(epochs), lift, false);
        }
      }
      return {
        'the sequence leaves out the truth at some look': missed.together,
        'without the burn-in: the sequence leaves out the truth': missed.unbelieved,
        "Welch's interval of the lift covers the truth at the end": covers(together(epochs), lift),
        'each epoch its own ratio, no burn-in: the same': missed.apart,
        "each epoch its own ratio: Welch's covers the truth": covers(apart(epochs), lift),
      };
    },
  };
}

function together(epochs: readonly Epoch[]): Comparison | undefined {
  return compareArms(meanStrata(RATIO_PLAN, epochs, []).strata);
}

/** Where an arm has no denominator in an epoch, its ratio counts as 0. */
function apart(epochs: readonly Epoch[]): Comparison | undefined {
  const sampleOf = (state: MetricState): Sample => {
    const [stratum] = meanStrata(RATIO_PLAN, [{ control: state, variant: state }], []).strata;
    return stratum?.control ?? { units: unitsOf(state), mean: 0, variance: 0, skewness: 0 };
  };
  return compareArms(
    epochs.map(({ control, variant }) => ({ control: sampleOf(control), variant: sampleOf(variant) })),
  );
}

/** Of no lift by the difference; of any other by Fieller's interval. */
function leavesOut(comparison: Comparison | undefined, lift: number, isBelieved: boolean): boolean {
  if (comparison === undefined) return false;
  const { effectiveUnits } = comparison;
  const sequence = isBelieved
    ? believedSequence(comparison)
    : confidenceSequence(difference(comparison), effectiveUnits, ALPHA, TUNING);
  if (sequence === undefined) return false;
  if (lift === 0) return sequence.p < ALPHA;
  const interval = liftInterval(comparison, sequenceBoundary(effectiveUnits, ALPHA, TUNING));
  return interval !== undefined && (interval[0] > lift || interval[1] < lift);
}

function covers(comparison: Comparison | undefined, lift: number): boolean {
  const effect = comparison && relativeLift(comparison);
  const interval = effect && welch(effect, comparison.degreesOfFreedom, ALPHA)?.interval;
  return interval !== undefined && interval[0] <= lift && lift <= interval[1];
}

/** Clicks of impressions, of which 70 % of the units have none. */
function clicks(random: () => number, rate: number): Observation {
  const second = random() < 0.3 ? 1 + geometric(random, 2 / 3) : 0;
  let value = 0;
  for (let i = 0; i < second; i += 1) if (random() < rate) value += 1;
  return { value, second };
}

/**
 * Ratios over many epochs of few units.
 *
 * @param units of each experiment, 20,000 in the long run
 */
export function ratiosOverEpochs(units: number): readonly Scenario[] {
  const bandit = (name: string, lift: number): Scenario =>
    ratioScenario({
      name: `a ratio, bandit, 5 % to 95 %, moved every 200 units, 70 % have no denominator, rates from 20 % to 40 %, ${name}`,
      units,
      epochUnits: 200,
      weight: (known, random) => weightOf(known, random) ?? 50,
      draw: (random, inVariant, progress) =>
        clicks(random, 0.2 * (1 + progress) * (inVariant ? 1 + lift : 1)),
      lift,
    });
  return [
    bandit('A/A', 0),
    bandit('A/B +20 %', 0.2),
    ratioScenario({
      name: 'a ratio, A/A, 95/5 in epochs of 50 units, 70 % have no denominator',
      units,
      epochUnits: 50,
      weight: () => 5,
      draw: (random) => clicks(random, 0.3),
      lift: 0,
    }),
    ratioScenario({
      name: 'a ratio, A/A, shares that wander from 5 % to 50 %, numerators and denominators independent',
      units,
      epochUnits: 200,
      weight: (_, random) => [5, 10, 20, 35, 50][Math.floor(5 * random())] ?? 50,
      draw: (random, _, progress) => ({
        value: geometric(random, 0.5) * (1 + progress),
        second: Math.exp(normal(random)),
      }),
      lift: 0,
    }),
  ];
}

/**
 * Ratios in one epoch, whose denominators are rare or skewed.
 *
 * @param units of each experiment, 20,000 in the long run
 */
export function ratiosOfRareDenominators(units: number): readonly Scenario[] {
  return [
    ratioScenario({
      name: 'a ratio, A/A, 90/10, denominators of 1, or of 200 for 1 % of the units',
      units,
      epochUnits: units,
      weight: () => 10,
      draw: (random) => ({ value: random() < 0.5 ? 1 : 0, second: random() < 0.01 ? 200 : 1 }),
      lift: 0,
    }),
    ratioScenario({
      name: 'a ratio, A/A, 90/10, clicks of impressions that 1 % of the units have',
      units,
      epochUnits: units,
      weight: () => 10,
      draw: (random) => {
        const second = random() < 0.01 ? 1 : 0;
        return { value: random() < 0.5 ? second : 0, second };
      },
      lift: 0,
    }),
    ratioScenario({
      name: 'a ratio, A/A, 95/5, log-normal denominators of shape 2',
      units,
      epochUnits: units,
      weight: () => 5,
      draw: (random) => ({ value: random() < 0.5 ? 1 : 0, second: Math.exp(2 * normal(random)) }),
      lift: 0,
    }),
  ];
}
