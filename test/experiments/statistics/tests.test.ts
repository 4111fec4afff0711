import { describe, expect, test } from 'vitest';
import { thompsonWeights } from '../../../experiments/statistics/bandit.ts';
import { benjaminiHochberg, correct, holm } from '../../../experiments/statistics/corrections.ts';
import { populationStabilityIndex, totalVariation } from '../../../experiments/statistics/drift.ts';
import {
  daysToGo,
  minimumDetectableDifference,
  power,
  unitsNeeded,
} from '../../../experiments/statistics/power.ts';
import {
  chiSquareSampleRatio,
  mismatchedSegments,
  sampleRatioByVariant,
  sequentialSampleRatio,
} from '../../../experiments/statistics/sample-ratio.ts';
import type { AssignmentCounts } from '../../../experiments/statistics/sample-ratio.ts';
import { sequenceBoundary } from '../../../experiments/statistics/sequential/confidence-sequence.ts';
import fixed from '../../vectors/statistics/fixed.json' with { type: 'json' };
import sequential from '../../vectors/statistics/sequential.json' with { type: 'json' };
import { seededRandom } from '../../../bench/simulations/random.ts';

const counts = (units: readonly number[], weights: readonly number[]): AssignmentCounts => ({
  units: Object.fromEntries(units.map((count, i) => [`v${i + 1}`, count])),
  weights: Object.fromEntries(weights.map((weight, i) => [`v${i + 1}`, weight])),
});

describe('corrections', () => {
  test.each(fixed.corrections)('agree with statsmodels on $p', (vector) => {
    holm(vector.p).forEach((p, i) => {
      expect(p).toBeCloseTo(vector.holm[i] ?? Number.NaN, 12);
    });
    benjaminiHochberg(vector.p).forEach((p, i) => {
      expect(p).toBeCloseTo(vector.benjaminiHochberg[i] ?? Number.NaN, 12);
    });
  });

  test('are chosen by name', () => {
    const p = [0.01, 0.04];
    expect(correct(p, 'none')).toBe(p);
    expect(correct(p, 'holm')).toEqual(holm(p));
    expect(correct(p, 'benjamini-hochberg')).toEqual(benjaminiHochberg(p));
    expect(holm([])).toEqual([]);
  });
});

describe('the chi-square test of the sample ratio', () => {
  // growthbook/growthbook, packages/back-end/test/stats.test.ts.
  test.each([
    [[1000, 1200], [0.5, 0.5], 0.000020079],
    [[135, 115], [0.5, 0.5], 0.205903211],
    [[310, 98], [0.75, 0.25], 0.647434186],
    [[500, 500, 600], [0.34, 0.33, 0.33], 0.000592638],
    [[0, 10, 10], [0.34, 0.33, 0.33], 0.005790624],
    [[500, 500], [0.5, 0.5], 1],
    [[0, 0, 0], [0.34, 0.33, 0.33], 1],
  ])("of %j by %j has GrowthBook's published p-value %d", (units, weights, p) => {
    expect(chiSquareSampleRatio([counts(units, weights)]).p).toBeCloseTo(p, 9);
  });

  test.each(fixed.chiSquare)('agrees with scipy on $units', (vector) => {
    const result = chiSquareSampleRatio([counts(vector.units, vector.weights)]);
    expect(result.statistic).toBeCloseTo(vector.statistic, 9);
    expect(result.p).toBeCloseTo(vector.p, 12);
  });

  test('judges each epoch by its own shares', () => {
    const epochs = [counts([900, 100], [9, 1]), counts([500, 500], [1, 1])];
    expect(chiSquareSampleRatio(epochs)).toEqual({ statistic: 0, degrees: 2, p: 1 });
    expect(chiSquareSampleRatio([counts([1400, 600], [9, 1])]).p).toBeLessThan(1e-10);
  });
});

describe('the sequential test of the sample ratio', () => {
  // optimizely/ssrm, ssrm_test/test_ssrm_test.py: marginal likelihoods under a Dirichlet(1, 1, 1) prior after four looks.
  test("has ssrm_test's published Bayes factor", () => {
    const all = [20 + 18 + 4 + 18, 17 + 21 + 6 + 19, 9 + 8 + 4 + 11];
    const published = -19.96484521090386 - -15.781031228536165;
    // Its prior is not centred on the shares; ours is, so the difference of both priors is put in here.
    const logGamma = (n: number): number =>
      Array.from({ length: n - 1 }, (_, i) => Math.log(i + 1)).reduce((a, b) => a + b, 0);
    const total = all.reduce((a, b) => a + b, 0);
    const uniform =
      logGamma(3) -
      logGamma(3 + total) +
      all.reduce((sum, n) => sum + logGamma(1 + n), 0) -
      (60 + 63) * Math.log(0.4) -
      32 * Math.log(0.2);
    expect(uniform).toBeCloseTo(published, 6);
    const thirds = sequentialSampleRatio([counts(all, [1, 1, 1])], 3).logBayesFactor;
    expect(thirds).toBeCloseTo(
      uniform + (60 + 63) * Math.log(0.4) + 32 * Math.log(0.2) + total * Math.log(3),
      6,
    );
  });

  test.each(sequential.sampleRatio)("agrees with Optimizely's code on $units", (vector) => {
    const result = sequentialSampleRatio([counts(vector.units, vector.weights)], vector.concentration);
    expect(result.logBayesFactor).toBeCloseTo(vector.logBayesFactor, 6);
    expect(result.p).toBeCloseTo(Math.min(1, Math.exp(-vector.logBayesFactor)), 6);
  });

  test('multiplies over epochs, each with its own shares', () => {
    const [early, late] = [counts([9100, 900], [9, 1]), counts([5100, 4900], [1, 1])];
    const factor = (epochs: readonly AssignmentCounts[]): number =>
      sequentialSampleRatio(epochs).logBayesFactor;
    expect(factor([early, late])).toBeCloseTo(factor([early]) + factor([late]), 9);
    expect(sequentialSampleRatio([counts([14_200, 5800], [9, 1])]).p).toBeLessThan(1e-100);
  });

  test('takes units of a variant without a share for a mismatch, and nothing for none', () => {
    expect(sequentialSampleRatio([counts([100, 1], [1, 0])]).p).toBe(0);
    expect(chiSquareSampleRatio([counts([100, 1], [1, 0])]).p).toBe(0);
    expect(sequentialSampleRatio([]).p).toBe(1);
    expect(sequentialSampleRatio([counts([100, 0], [1, 0])]).p).toBe(1);
  });

  test('names the variant that is off', () => {
    const rows = sampleRatioByVariant([counts([5000, 5000, 4000], [1, 1, 1])]);
    expect(rows.map(({ variant, units, expected }) => [variant, units, Math.round(expected)])).toEqual([
      ['v1', 5000, 4667],
      ['v2', 5000, 4667],
      ['v3', 4000, 4667],
    ]);
    expect(Math.min(...rows.map(({ p }) => p))).toBe(rows[2]?.p);
    expect(rows[2]?.p).toBeLessThan(1e-6);
  });

  test('names the API key that causes it, and clears the rest', () => {
    const segments = [
      { name: 'mobile', epochs: [counts([9000, 1010], [9, 1])] },
      { name: 'batch-job', epochs: [counts([2000, 700], [9, 1])] },
      { name: 'web', epochs: [counts([4480, 520], [9, 1])] },
    ];
    const [cause, ...others] = mismatchedSegments(segments, 0.001);
    expect(others).toEqual([]);
    expect(cause?.name).toBe('batch-job');
    expect(cause?.units).toBe(2700);
    expect(cause?.pWithout).toBeGreaterThan(0.1);
  });

  test('tells of each part what the others say without it, also where several are beyond chance', () => {
    const stray = counts([5, 3], [1, 0]);
    const segments = [
      { name: 'a', epochs: [counts([2000, 700], [9, 1]), counts([100, 40], [1, 1])] },
      { name: 'b', epochs: [counts([2000, 800], [9, 1])] },
      { name: 'c', epochs: [counts([900, 100], [9, 1])] },
    ];
    const withoutOf = (all: typeof segments, name: string): number =>
      sequentialSampleRatio(all.filter((segment) => segment.name !== name).flatMap(({ epochs }) => epochs)).p;
    for (const all of [
      segments,
      [...segments, { name: 'd', epochs: [stray] }],
      [...segments, { name: 'd', epochs: [stray] }, { name: 'e', epochs: [stray] }],
    ]) {
      const found = mismatchedSegments(all, 0.001);
      expect(found.length).toBe(all.length - 1);
      for (const { name, pWithout } of found) {
        const direct = withoutOf(all, name);
        expect(Math.abs(pWithout - direct)).toBeLessThanOrEqual(1e-9 * direct);
      }
    }
  });
});

describe('power', () => {
  test.each(fixed.power)('agrees with statsmodels: effect $effect, ratio $ratio, alpha $alpha', (vector) => {
    const question = {
      controlVariance: 1,
      variantVariance: 1,
      controlShare: 1 / (1 + vector.ratio),
      variantShare: vector.ratio / (1 + vector.ratio),
      alpha: vector.alpha,
      design: 'fixed',
    } as const;
    const units = unitsNeeded(question, vector.effect, vector.power);
    expect(Math.abs(units - vector.firstArm * (1 + vector.ratio))).toBeLessThan(1.5);
    expect(power(question, vector.effect, 1000 * (1 + vector.ratio))).toBeCloseTo(vector.at1000, 9);
    expect(minimumDetectableDifference(question, units, vector.power)).toBeCloseTo(vector.effect, 4);
  });

  test('of a sequence takes more units, by the square of its boundary', () => {
    const tuning = { plannedTime: 10_000, alpha: 0.05 };
    const question = {
      controlVariance: 1,
      variantVariance: 1,
      controlShare: 0.5,
      variantShare: 0.5,
      alpha: 0.05,
    };
    const fixedUnits = unitsNeeded({ ...question, design: 'fixed' }, 0.08, 0.8);
    const units = unitsNeeded({ ...question, design: tuning }, 0.08, 0.8);
    expect(units / fixedUnits).toBeCloseTo(
      ((sequenceBoundary(units, 0.05, tuning) + 0.8416212) / (1.959964 + 0.8416212)) ** 2,
      2,
    );
    expect(power({ ...question, design: tuning }, 0.08, units)).toBeCloseTo(0.8, 3);
  });

  test('of no difference is never reached, and days are counted only where units come', () => {
    const question = {
      controlVariance: 1,
      variantVariance: 1,
      controlShare: 0.5,
      variantShare: 0.5,
      alpha: 0.05,
      design: 'fixed',
    } as const;
    expect(unitsNeeded(question, 0, 0.8)).toBe(Infinity);
    expect(daysToGo(1200, 400)).toBe(3);
    expect(daysToGo(1200, 0)).toBeUndefined();
  });
});

describe('drift', () => {
  test('is the stability index of shares, and the distance between them', () => {
    const [control, variant] = [
      { a: 50, b: 50 },
      { a: 300, b: 700 },
    ];
    expect(populationStabilityIndex(control, variant)).toBeCloseTo(
      0.2 * Math.log(0.5 / 0.3) + 0.2 * Math.log(0.7 / 0.5),
      12,
    );
    expect(totalVariation(control, variant)).toBeCloseTo(0.2, 12);
    expect(totalVariation(control, { a: 1, b: 1 })).toBe(0);
  });

  test('of a class that one never answers is large and finite', () => {
    const index = populationStabilityIndex({ a: 1 }, { a: 1, b: 1 });
    expect(index).toBeGreaterThan(1);
    expect(index).toBeLessThan(10);
  });

  test('of nothing is not known', () => {
    expect(populationStabilityIndex({}, { a: 1 })).toBeUndefined();
    expect(totalVariation({ a: 1 }, { a: 0 })).toBeUndefined();
  });
});

describe('a Thompson bandit', () => {
  const arm = (
    name: string,
    mean: number,
    floor = 0,
    ceiling = 100,
  ): Parameters<typeof thompsonWeights>[0][number] => ({
    name,
    mean,
    deviation: 0.01,
    floor,
    ceiling,
  });

  test('gives each arm the probability that it is the best', () => {
    // P(N(0.1, 0.01²) > N(0.11, 0.01²)) = Φ(-1/√2) = 0.2398
    const weights = thompsonWeights(
      [arm('v1', 0.1, 0, 1000), arm('v2', 0.11, 0, 1000)],
      'increase',
      seededRandom(1),
      1000,
      100_000,
    );
    expect((weights.v1 ?? 0) + (weights.v2 ?? 0)).toBe(1000);
    expect(Math.abs((weights.v1 ?? 0) - 240)).toBeLessThan(6);
  });

  test('turns round where less is better, and keeps floors and ceilings', () => {
    const arms = [arm('v1', 0.1, 10, 100), arm('v2', 0.5, 0, 100), arm('v3', 0.3, 5, 60)];
    expect(thompsonWeights(arms, 'increase', seededRandom(1))).toEqual({ v1: 10, v2: 85, v3: 5 });
    expect(thompsonWeights(arms, 'decrease', seededRandom(1))).toEqual({ v1: 95, v2: 0, v3: 5 });
    const capped = [arm('v1', 0.1, 0, 100), arm('v2', 0.5, 0, 60)];
    expect(thompsonWeights(capped, 'increase', seededRandom(1))).toEqual({ v1: 40, v2: 60 });
  });

  test('refuses limits that leave no weights', () => {
    expect(() => thompsonWeights([arm('v1', 0, 60), arm('v2', 0, 60)], 'increase', seededRandom(1))).toThrow(
      'floors sum to 120',
    );
    expect(() =>
      thompsonWeights([arm('v1', 0, 0, 40), arm('v2', 0, 0, 40)], 'increase', seededRandom(1)),
    ).toThrow('ceilings to 80');
    expect(() => thompsonWeights([arm('v1', 0, 0.5)], 'increase', seededRandom(1))).toThrow(
      'expected whole numbers',
    );
  });
});
