import { describe, expect, test } from 'vitest';
import { adjustForCovariate } from '../../../../experiments/statistics/estimates/cuped.ts';
import {
  compareArms,
  difference,
  relativeLift,
} from '../../../../experiments/statistics/estimates/comparison.ts';
import type { Comparison, Effect } from '../../../../experiments/statistics/estimates/comparison.ts';
import { proportionStrata } from '../../../../experiments/statistics/estimates/proportion.ts';
import { ratioStrata } from '../../../../experiments/statistics/estimates/ratio.ts';
import { sampleOfMean, sampleWithCovariate } from '../../../../experiments/statistics/estimates/sample.ts';
import { welch } from '../../../../experiments/statistics/estimates/welch.ts';
import {
  bucketOfPercentile,
  winsorisedMoments,
} from '../../../../experiments/statistics/estimates/winsorise.ts';
import { histogramOf } from '../../../../experiments/statistics/states/log-histogram.ts';
import { addValue, NO_VALUES } from '../../../../experiments/statistics/states/mean-state.ts';
import { addPair, mergePairs, NO_PAIRS } from '../../../../experiments/statistics/states/pair-state.ts';
import type { PairState } from '../../../../experiments/statistics/states/pair-state.ts';
import vectors from '../../../vectors/statistics/fixed.json' with { type: 'json' };
import { sampleOf } from '../vector-arms.ts';

function compare(
  control: Parameters<typeof sampleOf>[0],
  variant: Parameters<typeof sampleOf>[0],
): Comparison {
  return (
    compareArms([{ control: sampleOf(control), variant: sampleOf(variant) }]) ??
    expect.fail('both arms have units')
  );
}

function liftOf(comparison: Comparison, baseline?: number): Effect {
  return relativeLift(comparison, baseline) ?? expect.fail('control is not zero');
}

function expectInterval(
  actual: readonly number[] | undefined,
  expected: readonly number[],
  digits = 9,
): void {
  expect(actual?.[0]).toBeCloseTo(expected[0] ?? Number.NaN, digits);
  expect(actual?.[1]).toBeCloseTo(expected[1] ?? Number.NaN, digits);
}

describe("Welch's test", () => {
  // growthbook/growthbook, packages/stats/tests/frequentist/test_tests.py, TestTwoSidedTTest.
  const control = { kind: 'mean', n: 3407, sum: 1396.87, sumSquares: 52377.9767 };
  const variant = { kind: 'mean', n: 3461, sum: 2422.7, sumSquares: 134698.29 };

  test("gives GrowthBook's published relative lift", () => {
    const comparison = compare(control, variant);
    const lift = liftOf(comparison);
    const result = welch(lift, comparison.degreesOfFreedom, 0.05);
    expect(lift.estimate).toBeCloseTo(0.70732, 5);
    expect(lift.standardError).toBeCloseTo(0.37879, 5);
    expectInterval(result?.interval, [-0.03526, 1.44989], 5);
    expect(result?.p).toBeCloseTo(0.06191, 5);
  });

  test("gives GrowthBook's published difference", () => {
    const comparison = compare(control, variant);
    const result = welch(difference(comparison), comparison.degreesOfFreedom, 0.05);
    expect(difference(comparison).estimate).toBeCloseTo(0.29, 10);
    expectInterval(result?.interval, [0.04538, 0.53462], 5);
    expect(result?.p).toBeCloseTo(0.02016, 5);
  });

  test("gives GrowthBook's published lift of a proportion", () => {
    const comparison = compare(
      { kind: 'proportion', units: 28, successes: 14 },
      { kind: 'proportion', units: 30, successes: 16 },
    );
    const result = welch(liftOf(comparison), comparison.degreesOfFreedom, 0.05);
    expectInterval(result?.interval, [-0.47767, 0.61101], 5);
    expect(result?.p).toBeCloseTo(0.80707, 5);
  });

  test.each(vectors.welch)("agrees with GrowthBook's engine on a $scale effect", (vector) => {
    const comparison = compare(vector.control, vector.variant);
    const effect = vector.scale === 'relative' ? liftOf(comparison) : difference(comparison);
    const result = welch(effect, comparison.degreesOfFreedom, 0.05);
    expect(effect.estimate).toBeCloseTo(vector.estimate, 10);
    expect(effect.standardError).toBeCloseTo(vector.standardError, 10);
    expectInterval(result?.interval, vector.interval);
    expect(result?.p).toBeCloseTo(vector.p, 10);
  });

  test('keeps the direction of a lift over a negative control', () => {
    // growthbook/growthbook, packages/stats/tests/test_utils.py, test_relative_negative_baseline_keeps_direction.
    const ofMeans = (control: number, variant: number): number =>
      liftOf(
        compare(
          { kind: 'mean', n: 10, sum: 10 * control, sumSquares: 10 * control ** 2 + 1 },
          { kind: 'mean', n: 10, sum: 10 * variant, sumSquares: 10 * variant ** 2 + 1 },
        ),
      ).estimate;
    expect(ofMeans(-10, -5)).toBeCloseTo(0.5, 10);
    expect(ofMeans(-10, -15)).toBeCloseTo(-0.5, 10);
    expect(ofMeans(-2, 3)).toBeCloseTo(2.5, 10);
  });

  test('says nothing where nothing varied', () => {
    expect(welch({ estimate: 0, standardError: 0 }, Infinity, 0.05)).toBeUndefined();
  });

  test('says nothing of a lift over a control of zero', () => {
    const comparison = compare(
      { kind: 'proportion', units: 10, successes: 0 },
      { kind: 'proportion', units: 10, successes: 1 },
    );
    expect(relativeLift(comparison)).toBeUndefined();
  });
});

test.each(vectors.ratio)('a ratio by the delta method agrees with GrowthBook, lift $estimate', (vector) => {
  const [control, variant] = vector.arms.map(({ n, x, xx, y, yy, xy }) => ({
    ...NO_PAIRS,
    x: { n, mean: x / n, m2: xx - (x * x) / n, m3: 0 },
    y: { n, mean: y / n, m2: yy - (y * y) / n, m3: 0 },
    comoment: xy - (x * y) / n,
  }));
  if (control === undefined || variant === undefined) expect.fail('the vector has two arms');
  const comparison = compareArms(ratioStrata([{ control, variant }])) ?? expect.fail('both arms have units');
  const result = welch(liftOf(comparison), comparison.degreesOfFreedom, 0.05);
  expect(liftOf(comparison).estimate).toBeCloseTo(vector.estimate, 10);
  expectInterval(result?.interval, vector.interval, 8);
  expect(result?.p).toBeCloseTo(vector.p, 8);
});

describe('CUPED', () => {
  test.each(vectors.cuped)('agrees with GrowthBook, slope $theta', (vector) => {
    const [control, variant] = vector.arms.map(({ before, after }) =>
      after.reduce<PairState>(
        (state, value, index) => addPair(state, value, before[index] ?? Number.NaN),
        NO_PAIRS,
      ),
    );
    if (control === undefined || variant === undefined) expect.fail('the vector has two arms');
    const { theta, centre, varianceReduction } = adjustForCovariate([{ control, variant }]);
    expect(theta).toBeCloseTo(vector.theta, 10);
    expect(varianceReduction).toBeCloseTo(vector.varianceReduction, 10);
    const comparison =
      compareArms([
        {
          control: sampleWithCovariate(control, theta, centre),
          variant: sampleWithCovariate(variant, theta, centre),
        },
      ]) ?? expect.fail('both arms have units');
    const effect = difference(comparison);
    const result = welch(effect, comparison.degreesOfFreedom, 0.05);
    expect(effect.estimate).toBeCloseTo(vector.difference, 10);
    expectInterval(result?.interval, vector.interval);
    expect(result?.p).toBeCloseTo(vector.p, 10);
    // GrowthBook puts its relative lift over control's mean before the adjustment.
    expect(liftOf(comparison, control.x.mean).estimate).toBeCloseTo(vector.lift, 10);
  });

  test('takes the share ρ² of the variance away: WSDM 2013, equation 4', () => {
    const vector = vectors.cuped[0] ?? expect.fail('there is a vector');
    const pairs = vector.arms.map(({ before, after }) =>
      after.reduce<PairState>(
        (state, value, index) => addPair(state, value, before[index] ?? Number.NaN),
        NO_PAIRS,
      ),
    );
    const [control, variant] = pairs;
    if (control === undefined || variant === undefined) expect.fail('the vector has two arms');
    const { theta, centre, varianceReduction } = adjustForCovariate([{ control, variant }]);
    const both = mergePairs(control, variant);
    const kept = sampleWithCovariate(both, theta, centre).variance / sampleOfMean(both.x).variance;
    expect(kept).toBeCloseTo(1 - varianceReduction, 12);
    expect(varianceReduction).toBeGreaterThan(0.5);
  });

  test('takes nothing away where the covariate is constant', () => {
    const constant = addPair(addPair(NO_PAIRS, 1, 5), 2, 5);
    expect(adjustForCovariate([{ control: constant, variant: constant }])).toEqual({
      theta: 0,
      centre: 5,
      varianceReduction: 0,
    });
  });

  test('does not take a drift between epochs for a slope', () => {
    const epoch = (level: number): PairState =>
      [0, 1, 2, 3].reduce((state, i) => addPair(state, level + (i % 2), level + (i < 2 ? 0 : 1)), NO_PAIRS);
    const [early, late] = [epoch(0), epoch(100)];
    expect(
      adjustForCovariate([
        { control: early, variant: early },
        { control: late, variant: late },
      ]).theta,
    ).toBeCloseTo(0, 10);
  });
});

describe('epochs', () => {
  const arm = (units: number, mean: number): { kind: string; units: number; successes: number } => ({
    kind: 'proportion',
    units,
    successes: Math.round(units * mean),
  });

  test('are not pooled: a variant that got its traffic when rates were high is no better for that', () => {
    const strata = [
      { control: sampleOf(arm(9000, 0.1)), variant: sampleOf(arm(1000, 0.1)) },
      { control: sampleOf(arm(5000, 0.3)), variant: sampleOf(arm(5000, 0.3)) },
    ];
    const comparison = compareArms(strata) ?? expect.fail('both arms have units');
    expect(difference(comparison).estimate).toBeCloseTo(0, 12);
    const pooled = (1000 * 0.1 + 5000 * 0.3) / 6000 - (9000 * 0.1 + 5000 * 0.3) / 14000;
    expect(pooled).toBeGreaterThan(0.09);
  });

  test('weigh n_a n_b / (n_a + n_b), and effective units add up', () => {
    const strata = [
      { control: sampleOf(arm(900, 0.1)), variant: sampleOf(arm(100, 0.2)) },
      { control: sampleOf(arm(500, 0.1)), variant: sampleOf(arm(500, 0.5)) },
    ];
    const comparison = compareArms(strata) ?? expect.fail('both arms have units');
    expect(comparison.effectiveUnits).toBeCloseTo(360 + 1000, 10);
    expect(difference(comparison).estimate).toBeCloseTo((360 * 0.1 + 1000 * 0.4) / 1360, 12);
    const variance = 360 ** 2 * (0.09 / 900 + 0.16 / 100) + 1000 ** 2 * (0.09 / 500 + 0.25 / 500);
    expect(difference(comparison).standardError).toBeCloseTo(Math.sqrt(variance) / 1360, 12);
  });

  test('of few units know the variance of a proportion without bias, and one in which none did is not taken for a smaller one', () => {
    // One unit of three did in the first epoch and none in the second: 1/3 · 2/3 · 3/2, and 0.
    const strata = proportionStrata([
      { control: [40, 8], variant: [3, 1] },
      { control: [40, 4], variant: [3, 0] },
    ]);
    expect(strata.map(({ variant }) => variant.variance)).toEqual([expect.closeTo(1 / 3, 12), 0]);
    expect(strata[0]?.control.variance).toBeCloseTo((0.2 * 0.8 * 40) / 39, 12);
    // Where none did in any, the six units together are no proof of a rate of zero.
    const none = proportionStrata([
      { control: [40, 8], variant: [3, 0] },
      { control: [40, 4], variant: [3, 0] },
    ]);
    const smoothed = (0.5 / 7) * (6.5 / 7);
    expect(none.map(({ variant }) => variant.variance)).toEqual([smoothed, smoothed]);
  });

  test('with fewer than two units in an arm are left out', () => {
    expect(compareArms([{ control: sampleOf(arm(100, 0.1)), variant: sampleOf(arm(1, 1)) }])).toBeUndefined();
    expect(compareArms([])).toBeUndefined();
  });
});

describe('winsorising', () => {
  const values = [...Array.from({ length: 99 }, (_, i) => i + 1), 1e6];

  test('caps all arms at one percentile of both together', () => {
    const cap =
      bucketOfPercentile([histogramOf(values), histogramOf([0])], 0.99) ?? expect.fail('there are values');
    const moments = winsorisedMoments(histogramOf(values), cap);
    const capped = values.map((value) => Math.min(value, 99)).reduce(addValue, NO_VALUES);
    expect(moments.n).toBe(100);
    expect(Math.abs(moments.mean / capped.mean - 1)).toBeLessThan(0.005);
    expect(Math.abs(moments.m2 / capped.m2 - 1)).toBeLessThan(0.01);
  });

  test('of nothing is nothing', () => {
    expect(bucketOfPercentile([histogramOf([])], 0.99)).toBeUndefined();
  });
});
