import { describe, expect, test } from 'vitest';
import {
  compareArms,
  difference,
  effectiveUnitsToBelieve,
} from '../../../../experiments/statistics/estimates/comparison.ts';
import type { Comparison } from '../../../../experiments/statistics/estimates/comparison.ts';
import { adjustForCovariate } from '../../../../experiments/statistics/estimates/cuped.ts';
import { ratioStrata } from '../../../../experiments/statistics/estimates/ratio.ts';
import type { RatioStratum } from '../../../../experiments/statistics/estimates/ratio.ts';
import { sampleOfMean, sampleWithCovariate } from '../../../../experiments/statistics/estimates/sample.ts';
import {
  compareMeanWith,
  compareRatioWith,
} from '../../../../experiments/statistics/sequential/one-sample.ts';
import { addValue, NO_VALUES } from '../../../../experiments/statistics/states/mean-state.ts';
import { addPair, NO_PAIRS } from '../../../../experiments/statistics/states/pair-state.ts';
import type { PairState } from '../../../../experiments/statistics/states/pair-state.ts';

type Pair = readonly [x: number, y: number];

const pairsOf = (list: readonly Pair[]): PairState =>
  list.reduce((state, [x, y]) => addPair(state, x, y), NO_PAIRS);

const repeat = (times: number, list: readonly Pair[]): PairState =>
  pairsOf(Array.from({ length: times }, () => list).flat());

function compare(epochs: readonly RatioStratum[]): Comparison {
  return compareArms(ratioStrata(epochs)) ?? expect.fail('both arms have denominators');
}

describe('a ratio over epochs', () => {
  const early = {
    control: pairsOf([
      [1, 2],
      [0, 1],
      [2, 3],
      [1, 4],
    ]),
    variant: pairsOf([
      [0, 0],
      [0, 0],
    ]),
  };
  const late = {
    control: pairsOf([
      [3, 5],
      [1, 1],
    ]),
    variant: pairsOf([
      [2, 3],
      [0, 2],
      [4, 4],
    ]),
  };

  test('is one for each arm, of both sums with the weights of the epochs, also where an arm has no denominator in one', () => {
    const [w1, w2] = [(4 * 2) / 6, (2 * 3) / 5];
    const ofControl = (w1 * 1 + w2 * 2) / (w1 * 2.5 + w2 * 3);
    const ofVariant = (w2 * 2) / (w2 * 3);
    const comparison = compare([early, late]);
    expect(comparison.control).toBeCloseTo(ofControl, 12);
    expect(comparison.variant).toBeCloseTo(ofVariant, 12);
    // x - R y of each epoch about its own mean, over the square of the denominator: of the variant's three units in the second epoch alone.
    const rest = [2 - 3 * ofVariant, -2 * ofVariant, 4 - 4 * ofVariant];
    const mean = rest.reduce((sum, value) => sum + value, 0) / 3;
    const variance = rest.reduce((sum, value) => sum + (value - mean) ** 2, 0) / 2;
    const denominator = (w2 * 3) / (w1 + w2);
    expect(comparison.variantVariance).toBeCloseTo(
      ((w2 / (w1 + w2)) ** 2 * variance) / 3 / denominator ** 2,
      12,
    );
  });

  test('is nothing while an arm has no denominator at all', () => {
    expect(ratioStrata([early])).toEqual([]);
    expect(compareArms(ratioStrata([]))).toBeUndefined();
  });

  test('is the same in both arms where both have the same ratio, however small the epochs are', () => {
    // Each small arm's own ratio is 3/1, 3/3 or 1/1 by turns, 5/3 on average; that of all is 7/5.
    const small: readonly (readonly Pair[])[] = [
      [
        [1, 0],
        [2, 1],
      ],
      [
        [1, 1],
        [2, 2],
      ],
      [
        [1, 1],
        [0, 0],
      ],
    ];
    const control = repeat(20, small.flat());
    const comparison = compare(small.map((list) => ({ control, variant: pairsOf(list) })));
    expect(comparison.control).toBeCloseTo(7 / 5, 12);
    expect(difference(comparison).estimate).toBeCloseTo(0, 12);
  });
});

describe('before it is believed,', () => {
  /** Units of which one in `of` has a denominator. */
  const rare = (units: number, of: number): PairState =>
    repeat(units / of / 2, [[1, 1], [0, 1], ...Array.from({ length: 2 * of - 2 }, (): Pair => [0, 0])]);

  test('a ratio needs its denominator known to a tenth in each arm, by the variance that the arm with more units shows', () => {
    const comparison = compare([{ control: rare(8000, 100), variant: repeat(1000, [[1, 1]]) }]);
    // One in a hundred: the variance of one unit's denominator is 99 times the square of its mean.
    expect(comparison.denominatorError).toBeCloseTo(Math.sqrt(99 / 1000), 4);
    expect(effectiveUnitsToBelieve(comparison) / comparison.effectiveUnits).toBeCloseTo(9.9, 1);
    const enough = compare([{ control: rare(10_000, 100), variant: rare(10_000, 100) }]);
    expect(effectiveUnitsToBelieve(enough)).toBeLessThan(enough.effectiveUnits);
  });

  test('what is left of a ratio is no more skewed than a mean may be, whichever of its sides is', () => {
    const skewed = (units: number): PairState =>
      repeat(units / 100, [...Array.from({ length: 99 }, (_, index): Pair => [index % 2, 1]), [1, 200]]);
    const comparison = compare([{ control: skewed(9000), variant: skewed(1000) }]);
    const values = [...Array.from({ length: 99 }, (_, index) => index % 2), 1];
    const ratio = 50 / 299;
    const rest = values.map((x, index) => x - ratio * (index === 99 ? 200 : 1)).reduce(addValue, NO_VALUES);
    const { skewness } = sampleOfMean(rest);
    expect(comparison.skewness).toBeCloseTo((Math.abs(skewness) * 0.8) / Math.sqrt(900), 2);
    expect(effectiveUnitsToBelieve(comparison)).toBeGreaterThan(comparison.effectiveUnits);
  });

  test('what a covariate leaves is looked at, not what it was taken from', () => {
    const left = (units: number): PairState =>
      repeat(units / 100, [
        ...Array.from({ length: 99 }, (_, index): Pair => [index - 49, index - 49]),
        [5, 0],
      ]);
    const [control, variant] = [left(9000), left(1000)];
    const { theta, centre } = adjustForCovariate([{ control, variant }]);
    const comparison =
      compareArms([
        {
          control: sampleWithCovariate(control, theta, centre),
          variant: sampleWithCovariate(variant, theta, centre),
        },
      ]) ?? expect.fail('both arms have units');
    // An event of 1 %: a skewness of 9.85, of which unequal arms let 0.8 through.
    expect(comparison.skewness).toBeCloseTo((9.85 * 0.8) / Math.sqrt(900), 2);
    expect(effectiveUnitsToBelieve(comparison)).toBeGreaterThan(comparison.effectiveUnits);
  });
});

test('a covariate is taken out about its mean with the weights of the epochs, so that the control stays what it was', () => {
  const around = (units: number, level: number): PairState =>
    repeat(units / 2, [
      [level + 1, level + 1],
      [level - 1, level - 1],
    ]);
  // At 98/2 the first epoch has most of the units and a sixth of the weight.
  const epochs = [
    { control: around(980, 10), variant: around(20, 10) },
    { control: around(200, 20), variant: around(200, 20) },
  ];
  const { theta, centre } = adjustForCovariate(epochs);
  const comparison =
    compareArms(
      epochs.map(({ control, variant }) => ({
        control: sampleWithCovariate(control, theta, centre),
        variant: sampleWithCovariate(variant, theta, centre),
      })),
    ) ?? expect.fail('both arms have units');
  expect(theta).toBeCloseTo(1, 12);
  expect(comparison.control).toBeCloseTo((19.6 * 10 + 100 * 20) / 119.6, 10);
});

describe('a ratio against a fixed value', () => {
  const TUNING = { plannedTime: 5000, alpha: 0.05 };
  const moments = repeat(100, [
    [0, 1],
    [1, 1],
    [1, 3],
    [2, 2],
  ]);

  test('is the mean of x - value · y against 0', () => {
    const result = compareRatioWith(moments, 0.5, 0.05, TUNING);
    const rest = Array.from({ length: 400 }, (_, index) => [-0.5, 0.5, -0.5, 1][index % 4] ?? 0);
    const { p } = compareMeanWith(sampleOfMean(rest.reduce(addValue, NO_VALUES)), 0, 0.05, TUNING);
    expect(result?.estimate).toBeCloseTo(4 / 7, 12);
    expect(result?.p).toBeCloseTo(p, 9);
    expect(compareRatioWith(moments, 0.3, 0.05, TUNING)?.p).toBeLessThan(1e-6);
  });

  test('is nothing where nothing has a denominator', () => {
    expect(compareRatioWith(repeat(200, [[0, 0]]), 0.5, 0.05, TUNING)).toBeUndefined();
  });
});
