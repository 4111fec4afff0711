import { describe, expect, test } from 'vitest';
import {
  compareArms,
  difference,
  effectiveUnitsToBelieve,
  relativeLift,
} from '../../../../experiments/statistics/estimates/comparison.ts';
import {
  confidenceSequence,
  mixtureScale,
  sequenceBoundary,
} from '../../../../experiments/statistics/sequential/confidence-sequence.ts';
import {
  logEvidence,
  quantileMixture,
} from '../../../../experiments/statistics/sequential/quantile-mixture.ts';
import { compareQuantiles } from '../../../../experiments/statistics/sequential/quantile-sequence.ts';
import type { LogHistogram } from '../../../../experiments/statistics/states/log-histogram.ts';
import { histogramOf } from '../../../../experiments/statistics/states/log-histogram.ts';
import vectors from '../../../vectors/statistics/sequential.json' with { type: 'json' };
import { sampleOf } from '../vector-arms.ts';

// gostevehoward/confseq, test/uniform_boundaries_unittest.cpp: its target values come from a reference implementation in R.
const CONFSEQ = { plannedTime: 100, alpha: 0.05 };

describe('an asymptotic confidence sequence', () => {
  test("has confseq's published normal mixture: ρ, boundary and evidence", () => {
    expect(1 / mixtureScale(CONFSEQ)).toBeCloseTo(12.60056, 5);
    // confseq bounds a sum at intrinsic time 100, which is ten standard errors wide.
    expect(10 * sequenceBoundary(100, 0.05, CONFSEQ)).toBeCloseTo(30.35209, 5);
    const evidence = confidenceSequence({ estimate: 20, standardError: 10 }, 100, 0.05, CONFSEQ);
    expect(Math.log(evidence?.p ?? 0)).toBeCloseTo(
      -(0.5 * Math.log(12.60056 / 112.60056) + 400 / (2 * 112.60056)),
      5,
    );
  });

  test("gives GrowthBook's published sequential lifts", () => {
    // packages/stats/tests/frequentist/test_tests.py, TestSequentialTTest.
    const published = [
      {
        control: { kind: 'mean', n: 3000, sum: 1396.87, sumSquares: 52377.9767 },
        variant: { kind: 'mean', n: 3461, sum: 2422.7, sumSquares: 134698.29 },
        plannedTime: 1000,
        interval: [-0.55844, 1.56516],
        p: 1,
      },
      {
        control: { kind: 'proportion', units: 3000, successes: 1396 },
        variant: { kind: 'proportion', units: 3461, successes: 2422 },
        plannedTime: 5000,
        interval: [0.40098, 0.60675],
        p: 0,
      },
    ];
    for (const { control, variant, plannedTime, interval, p } of published) {
      const comparison =
        compareArms([{ control: sampleOf(control), variant: sampleOf(variant) }]) ??
        expect.fail('there are units');
      const lift = relativeLift(comparison) ?? expect.fail('control is not zero');
      const result = confidenceSequence(lift, 6461, 0.05, { plannedTime, alpha: 0.05 });
      expect(result?.interval[0]).toBeCloseTo(interval[0] ?? Number.NaN, 5);
      expect(result?.interval[1]).toBeCloseTo(interval[1] ?? Number.NaN, 5);
      expect(result?.p).toBeCloseTo(p, 5);
    }
  });

  test.each(vectors.sequences)(
    "agrees with GrowthBook's engine on a $scale effect at $time units",
    (vector) => {
      const comparison =
        compareArms([{ control: sampleOf(vector.control), variant: sampleOf(vector.variant) }]) ??
        expect.fail('there are units');
      const effect = vector.scale === 'relative' ? relativeLift(comparison) : difference(comparison);
      if (effect === undefined) expect.fail('control is not zero');
      const tuning = { plannedTime: vector.plannedTime, alpha: 0.05 };
      const result = confidenceSequence(effect, vector.time, 0.05, tuning);
      expect(result?.interval[0]).toBeCloseTo(vector.interval[0] ?? Number.NaN, 9);
      expect(result?.interval[1]).toBeCloseTo(vector.interval[1] ?? Number.NaN, 9);
      expect(result?.p).toBeCloseTo(vector.p, 9);
    },
  );

  test('leaves out zero exactly where its p-value is below alpha, at every level', () => {
    const tuning = { plannedTime: 5000, alpha: 0.05 };
    for (const alpha of [0.05, 0.01, 0.001]) {
      const edge = sequenceBoundary(2000, alpha, tuning);
      for (const [estimate, below] of [
        [edge * 1.0001, true],
        [edge * 0.9999, false],
      ] as const) {
        const result = confidenceSequence({ estimate, standardError: 1 }, 2000, alpha, tuning);
        expect((result?.p ?? 1) < alpha).toBe(below);
        expect((result?.interval[0] ?? 0) > 0).toBe(below);
      }
    }
  });

  test('is tightest, for its units, near the planned time', () => {
    const tuning = { plannedTime: 10_000, alpha: 0.05 };
    const at = (time: number): number => sequenceBoundary(time, 0.05, tuning);
    expect(at(10_000)).toBeLessThan(at(5000));
    expect(at(10_000)).toBeLessThan(at(20_000));
    expect(at(10_000)).toBeCloseTo(3.0352, 4);
  });

  test('counts effective units: 90/10 has 36 % of an equal split', () => {
    const arm = (units: number): ReturnType<typeof sampleOf> =>
      sampleOf({ kind: 'proportion', units, successes: units / 10 });
    expect(compareArms([{ control: arm(5000), variant: arm(5000) }])?.effectiveUnits).toBe(10_000);
    expect(compareArms([{ control: arm(9000), variant: arm(1000) }])?.effectiveUnits).toBe(3600);
  });

  test('is believed at 90/10 of a 1 % rate only when there are events, and at 50/50 soon', () => {
    const arm = (units: number): ReturnType<typeof sampleOf> =>
      sampleOf({ kind: 'proportion', units, successes: units / 100 });
    const needed = (control: number, variant: number): number => {
      const comparison =
        compareArms([{ control: arm(control), variant: arm(variant) }]) ?? expect.fail('units');
      return effectiveUnitsToBelieve(comparison) / comparison.effectiveUnits;
    };
    expect(needed(9000, 1000)).toBeGreaterThan(1);
    expect(needed(13_500, 1500)).toBeLessThan(1);
    expect(needed(200, 200)).toBeLessThan(1);
    expect(needed(90, 90)).toBeGreaterThan(1);
  });
});

describe('a quantile', () => {
  test("has confseq's published beta-binomial evidence", () => {
    // s = 10 at intrinsic time 100 for g = 0.2, h = 0.8: 625 values, 135 of them below the 20 % quantile. Tuned for v = 100.
    const mixture = quantileMixture(0.2, { plannedTime: 100 / 0.16, alpha: 0.05 });
    expect(logEvidence(mixture, 135, 625)).toBeCloseTo(-0.6941012, 5);
  });

  /** Values 1.01^(offset + 1) to 1.01^(offset + 1000), one in each bucket. */
  const ladder = (offset: number): LogHistogram => ({
    zeros: 0,
    counts: Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [String(offset + i + 1), 1])),
  });

  test.each([
    [0.5, 70, 0.814704],
    [0.5, 85, 0.0838055],
    [0.5, 100, 0.0054947],
    [0.9, 55, 0.0340463],
  ])("of %d, shifted by %d ranks, has confseq's published p-value %d", (p, offset, expected) => {
    const strata = [{ control: ladder(-500), variant: ladder(-500 + offset) }];
    const result = compareQuantiles(strata, p, 0.05, CONFSEQ) ?? expect.fail('there are values');
    // One epoch has weight 1/2; the other half belongs to epochs that may come.
    const evidence = 1 / result.p;
    expect(1 / (2 * evidence - 1)).toBeCloseTo(expected, 5);
  });

  test('has an interval that holds the ratio and leaves out what p rejects', () => {
    const strata = [{ control: ladder(-500), variant: ladder(-380) }];
    const result = compareQuantiles(strata, 0.5, 0.05, CONFSEQ) ?? expect.fail('there are values');
    expect(result.p).toBeLessThan(0.05);
    expect(result.interval[0]).toBeGreaterThan(0);
    expect(result.interval[0]).toBeLessThan(1.01 ** 120 - 1);
    expect(result.interval[1]).toBeGreaterThan(1.01 ** 120 - 1);
  });

  test('is limited by nothing while there are few values, and says nothing without any', () => {
    const few = { control: histogramOf([1, 2]), variant: histogramOf([5]) };
    const result = compareQuantiles([few], 0.99, 0.05, CONFSEQ);
    expect(result?.interval).toEqual([-1, Infinity]);
    expect(result?.p).toBe(1);
    expect(
      compareQuantiles([{ control: histogramOf([1]), variant: histogramOf([]) }], 0.5, 0.05, CONFSEQ),
    ).toBeUndefined();
  });

  test.each([
    [530, 430],
    [540, 420],
    [450, 550],
  ])('of which zeros may be is tested as it is with the smallest value in place of zero: %d, %d', (c, v) => {
    const spread = (n: number): number[] => Array.from({ length: n }, (_, i) => Math.exp((5 * (i + 1)) / n));
    const armOf = (small: number, value: number): LogHistogram =>
      histogramOf([...Array.from({ length: small }, () => value), ...spread(1000 - small)]);
    const pOf = (value: number): number | undefined =>
      compareQuantiles([{ control: armOf(c, value), variant: armOf(v, value) }], 0.5, 0.05, CONFSEQ)?.p;
    expect(pOf(0)).toBeCloseTo(pOf(0.5) ?? Number.NaN, 12);
  });

  test('gives an epoch the weight of the place in which it was first seen, whichever comes last', () => {
    const shifted = { control: ladder(-500), variant: ladder(-400), position: 0 };
    const same = { control: ladder(-500), variant: ladder(-500), position: 1 };
    const pOf = (...strata: readonly (typeof same)[]): number =>
      compareQuantiles(strata, 0.5, 0.05, CONFSEQ)?.p ?? Number.NaN;
    expect(pOf(same, shifted)).toBeCloseTo(pOf(shifted, same), 14);
    const seenLater = { ...shifted, position: 5 };
    // Weights 1/2 and 1/42: nearly all of the evidence is that epoch's.
    expect(pOf(seenLater) / pOf(shifted)).toBeGreaterThan(10);
    expect(pOf(seenLater) / pOf(shifted)).toBeLessThan(21);
  });

  test('is not better for having had its traffic in a fast epoch', () => {
    const times = (scale: number, n: number): LogHistogram =>
      histogramOf(Array.from({ length: n }, (_, i) => scale * (1 + i / n)));
    const strata = [
      { control: times(0.01, 9000), variant: times(0.01, 1000) },
      { control: times(0.1, 1000), variant: times(0.1, 9000) },
    ];
    expect(compareQuantiles(strata, 0.5, 0.05, CONFSEQ)?.p).toBe(1);
  });
});
