import { expect, test } from 'vitest';
import { meanStrata } from '../../../../experiments/statistics/analysis/strata.ts';
import {
  compareArms,
  excessOver,
  liftInterval,
  relativeLift,
} from '../../../../experiments/statistics/estimates/comparison.ts';
import type { Comparison } from '../../../../experiments/statistics/estimates/comparison.ts';
import { addPair, NO_PAIRS } from '../../../../experiments/statistics/states/pair-state.ts';
import { normal, seededRandom } from '../../../../bench/simulations/random.ts';

const PLAN = { name: 'spent', role: 'goal', direction: 'increase', type: 'mean', covariate: true } as const;

type Unit = readonly [value: number, before: number];

const epochs = [0.2, 0.5].map((share, epoch) => {
  const random = seededRandom(7 + epoch);
  const units = Array.from({ length: 400 }, () => {
    const before = 10 + 9 * normal(random);
    const isVariant = random() < share;
    // A variant that multiplies has a slope of its own.
    return { isVariant, unit: [(before + normal(random)) * (isVariant ? 1.5 : 1), before] as const };
  });
  const armOf = (wanted: boolean): readonly Unit[] =>
    units.flatMap(({ isVariant, unit }) => (isVariant === wanted ? [unit] : []));
  return { control: armOf(false), variant: armOf(true) };
});

function compared(of: typeof epochs): Comparison {
  const stateOf = (units: readonly Unit[]) => ({
    kind: 'pair' as const,
    moments: units.reduce((state, [value, before]) => addPair(state, value, before), NO_PAIRS),
  });
  const pairs = of.map(({ control, variant }) => ({ control: stateOf(control), variant: stateOf(variant) }));
  const { strata } = meanStrata(PLAN, pairs, []);
  return compareArms(strata) ?? expect.fail('both arms have units');
}

const liftOf = (comparison: Comparison) => relativeLift(comparison) ?? expect.fail('control is not zero');

/** The variance of the lift, from what it becomes without each unit in turn (Tukey 1958), each arm of each epoch by itself. */
function jackknifedError(): number {
  let variance = 0;
  epochs.forEach((epoch, at) => {
    for (const arm of ['control', 'variant'] as const) {
      const lifts = epoch[arm].map((_, index) => {
        const without = { ...epoch, [arm]: epoch[arm].toSpliced(index, 1) };
        return liftOf(compared(epochs.with(at, without))).estimate;
      });
      const mean = lifts.reduce((sum, lift) => sum + lift, 0) / lifts.length;
      const squares = lifts.reduce((sum, lift) => sum + (lift - mean) ** 2, 0);
      variance += ((lifts.length - 1) / lifts.length) * squares;
    }
  });
  return Math.sqrt(variance);
}

test('the error of a lift with a covariate has that of the covariate’s mean in it, which both arms are told at', () => {
  const { standardError } = liftOf(compared(epochs));
  expect(standardError / jackknifedError()).toBeCloseTo(1, 1);
});

test('the interval of a lift with a covariate ends where a margin is no longer crossed for sure', () => {
  const comparison = compared(epochs);
  const reach = 3;
  const [low, high] = liftInterval(comparison, reach) ?? expect.fail('control is far from zero');
  for (const end of [low, high]) {
    const { estimate, standardError } = excessOver(comparison, end);
    expect(Math.abs(estimate) / standardError).toBeCloseTo(reach, 9);
  }
});
