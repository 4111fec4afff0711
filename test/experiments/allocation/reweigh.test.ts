import { expect, test } from 'vitest';
import { seededRandom } from '../../../bench/simulations/random.ts';
import { reweigh } from '../../../experiments/allocation/reweigh.ts';
import type { AnalysisInput, EpochState } from '../../../experiments/statistics/analysis/input.ts';
import { sampleExperiment } from '../sample-experiment.ts';

const FIELDS = {
  metrics: [{ name: 'correct', kind: 'proportion', role: 'goal' }],
  allocation: { kind: 'thompson' },
  variants: [
    { name: 'v1', version: 1, weight: 50 },
    { name: 'v2', version: 2, weight: 50 },
    { name: 'shadow', version: 3, weight: 0 },
  ],
};
const experiment = sampleExperiment(FIELDS);

/** Successes of units, by variant, in an epoch. */
type Counts = Readonly<Record<string, readonly [successes: number, units: number]>>;

function inputOf(...epochs: readonly Counts[]): AnalysisInput {
  return {
    experiment: 'digits-cnn',
    phase: 1,
    control: 'v1',
    variants: ['v1', 'v2', 'shadow'],
    metrics: [{ name: 'correct', role: 'goal', direction: 'increase', type: 'proportion' }],
    requests: { all: 0, overridden: 0 },
    epochs: epochs.map((counts): EpochState => ({
      weights: { v1: 50, v2: 50 },
      variants: Object.fromEntries(
        Object.entries(counts).map(([name, [successes, units]]) => [
          name,
          { units, exposures: units, metrics: { correct: { kind: 'proportion', units, successes } } },
        ]),
      ),
    })),
  };
}

const drawn = (input: AnalysisInput, inForce = experiment) =>
  reweigh(inForce, experiment, input, seededRandom(7));

test('a variant that is surely better gets all but the floors', () => {
  expect(drawn(inputOf({ v1: [300, 1000], v2: [600, 1000] }))).toEqual({
    kind: 'change',
    weights: { v1: 5, v2: 95, shadow: 0 },
  });
  expect(drawn(inputOf({ v1: [600, 1000], v2: [300, 1000] }))).toMatchObject({ weights: { v1: 95, v2: 5 } });
});

test('a variant that is probably better gets the probability of that', () => {
  // A difference of one standard error: the normal distribution has 84 % below it.
  const error = Math.sqrt((2 * 0.25) / 1000);
  const change = drawn(inputOf({ v1: [500, 1000], v2: [Math.round(1000 * (0.5 + error)), 1000] }));
  expect(change.kind === 'change' && Math.abs((change.weights.v2 ?? 0) - 84)).toBeLessThanOrEqual(2);
});

test('a good day of one variant is not taken for a good variant', () => {
  // Both do the same in each epoch, but v2 had most of its units on the good day.
  const change = drawn(inputOf({ v1: [90, 900], v2: [10, 100] }, { v1: [80, 100], v2: [720, 900] }));
  expect(change).toEqual({ kind: 'keep', why: 'same' });
});

test.each([
  ['there are too few units', inputOf({ v1: [30, 99], v2: [60, 1000] }), 'too_few_units'],
  ['a variant has none', inputOf({ v1: [300, 1000] }), 'too_few_units'],
  ['all succeed alike', inputOf({ v1: [1000, 1000], v2: [1000, 1000] }), 'same'],
])('weights stay where %s', (_, input, why) => {
  expect(drawn(input)).toEqual({ kind: 'keep', why });
});

test('a change that is no more than the chance of the draws opens no epoch', () => {
  const before = sampleExperiment({
    ...FIELDS,
    variants: [
      { name: 'v1', version: 1, weight: 6 },
      { name: 'v2', version: 2, weight: 94 },
      { name: 'shadow', version: 3, weight: 0 },
    ],
  });
  expect(drawn(inputOf({ v1: [300, 1000], v2: [600, 1000] }), before)).toEqual({ kind: 'keep', why: 'same' });
});
