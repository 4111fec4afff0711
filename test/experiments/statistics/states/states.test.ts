import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  bucketOf,
  countValue,
  EMPTY_HISTOGRAM,
  histogramOf,
  histogramSize,
  mergeHistograms,
  middle,
  sortedBuckets,
  upperEdge,
} from '../../../../experiments/statistics/states/log-histogram.ts';
import {
  addValue,
  mergeMeans,
  NO_VALUES,
  skewness,
  variance,
} from '../../../../experiments/statistics/states/mean-state.ts';
import type { MeanState } from '../../../../experiments/statistics/states/mean-state.ts';
import { emptyState, mergeStates, observe } from '../../../../experiments/statistics/states/metric-state.ts';
import type { MetricState } from '../../../../experiments/statistics/states/metric-state.ts';
import {
  addPair,
  lessMultiple,
  mergePairs,
  NO_PAIRS,
} from '../../../../experiments/statistics/states/pair-state.ts';

const meanOf = (values: readonly number[]): MeanState => values.reduce(addValue, NO_VALUES);
const values = fc.array(fc.double({ min: -1e3, max: 1e3, noNaN: true }), { minLength: 1, maxLength: 30 });

/** Expects two numbers to agree as far as sums of that size can. */
function expectNear(actual: number, expected: number, size: number): void {
  expect(Math.abs(actual - expected)).toBeLessThanOrEqual(1e-9 * Math.max(1, size));
}

function expectSameMoments(actual: MeanState, expected: MeanState): void {
  expect(actual.n).toBe(expected.n);
  expectNear(actual.mean, expected.mean, 1e3);
  expectNear(actual.m2, expected.m2, 1e6 * expected.n);
  expectNear(actual.m3, expected.m3, 1e9 * expected.n);
}

describe('moments', () => {
  test('are those of the two-pass formulas', () => {
    fc.assert(
      fc.property(values, (list) => {
        const mean = list.reduce((sum, value) => sum + value, 0) / list.length;
        const central = (power: number): number =>
          list.reduce((sum, value) => sum + (value - mean) ** power, 0);
        expectSameMoments(meanOf(list), { n: list.length, mean, m2: central(2), m3: central(3) });
      }),
    );
  });

  test('merge in any order', () => {
    fc.assert(
      fc.property(values, values, values, (a, b, c) => {
        const [x, y, z] = [meanOf(a), meanOf(b), meanOf(c)];
        const all = meanOf([...a, ...b, ...c]);
        expectSameMoments(mergeMeans(mergeMeans(x, y), z), all);
        expectSameMoments(mergeMeans(z, mergeMeans(y, x)), all);
      }),
    );
  });

  test('keep a small variance beside a large mean', () => {
    const state = meanOf([1e9 + 4, 1e9 + 7, 1e9 + 13, 1e9 + 16]);
    expect(variance(state)).toBe(30);
  });

  test('know skewness', () => {
    const events = meanOf([...Array.from({ length: 99 }, () => 0), 1]);
    expect(skewness(events)).toBeCloseTo((1 - 0.02) / Math.sqrt(0.01 * 0.99), 10);
    expect(skewness(meanOf([5, 5, 5]))).toBe(0);
  });

  test('of an empty or single sample are no variance, and an empty one merges with nothing', () => {
    expect(variance(NO_VALUES)).toBe(0);
    expect(variance(meanOf([3]))).toBe(0);
    expect(mergeMeans(NO_VALUES, meanOf([3]))).toEqual(meanOf([3]));
  });

  test('of pairs know those of x less any multiple of y, and merge', () => {
    const number = fc.double({ min: -100, max: 100, noNaN: true });
    const pairs = fc.array(fc.tuple(number, number), { minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(pairs, pairs, fc.double({ min: -9, max: 9, noNaN: true }), (a, b, factor) => {
        const stateOf = (list: readonly (readonly [number, number])[]): typeof NO_PAIRS =>
          list.reduce((state, [x, y]) => addPair(state, x, y), NO_PAIRS);
        const merged = mergePairs(stateOf(a), stateOf(b));
        expectSameMoments(lessMultiple(merged, factor), meanOf([...a, ...b].map(([x, y]) => x - factor * y)));
      }),
    );
  });

  test('of what is the same multiple for all units are those of rounding, and claim no more', () => {
    const state = [1, 2, 5, 7].reduce((pairs, y) => addPair(pairs, 0.3 * y, y), NO_PAIRS);
    const { mean, m2 } = lessMultiple(state, 0.3);
    expect(Math.abs(mean)).toBeLessThan(1e-15);
    expect(m2 === 0 || m2 > 1e-16).toBe(true);
    expect(lessMultiple(addPair(addPair(NO_PAIRS, 2, 1), 4, 2), 2).m2).toBe(0);
  });
});

describe('a histogram', () => {
  test('holds each value in the bucket around it, which is 1 % wide', () => {
    fc.assert(
      fc.property(fc.double({ min: 1e-8, max: 1e11, noNaN: true }), (value) => {
        const index = bucketOf(value);
        expect(value).toBeLessThanOrEqual(upperEdge(index) * (1 + 1e-10));
        expect(value).toBeGreaterThan(upperEdge(index - 1) * (1 - 1e-10));
        expect(Math.abs(middle(index) / value - 1)).toBeLessThan(0.00501);
      }),
    );
  });

  test('has a bounded number of buckets', () => {
    const histogram = histogramOf([Number.MIN_VALUE, 1e-300, 1e-9, 1e12, 1e300]);
    expect(sortedBuckets(histogram).map(([, count]) => count)).toEqual([3, 2]);
  });

  test('counted at once is the one counted value by value, and merges by adding', () => {
    const [a, b] = [
      [0, 0.013, 2, 2.001],
      [0, 2, 750],
    ];
    const one = a.reduce(countValue, EMPTY_HISTOGRAM);
    expect(one).toEqual(histogramOf(a));
    const both = mergeHistograms(one, histogramOf(b));
    expect(both).toEqual(histogramOf([...a, ...b]));
    expect(histogramSize(both)).toBe(7);
  });

  test('puts zeros first', () => {
    expect(sortedBuckets(histogramOf([5, 0]))).toEqual([
      [-Infinity, 1],
      [bucketOf(5), 1],
    ]);
  });

  test.each([-1, Number.NaN, Infinity])('refuses %d', (value) => {
    expect(() => countValue(EMPTY_HISTOGRAM, value)).toThrow(`finite values >= 0, not ${value}`);
    expect(() => histogramOf([value])).toThrow(`finite values >= 0, not ${value}`);
  });
});

describe("a metric's state", () => {
  const filled: Record<MetricState['kind'], MetricState> = {
    proportion: observe(observe(emptyState('proportion'), { value: 1 }), { value: 0 }),
    mean: observe(emptyState('mean'), { value: 4.5 }),
    pair: observe(emptyState('pair'), { value: 2, second: 7 }),
    histogram: observe(emptyState('histogram'), { value: 0.25 }),
  };

  test.each(Object.values(filled))(
    'of kind $kind survives JSON, and merges with nothing into itself',
    (state) => {
      const stored = JSON.parse(JSON.stringify(state)) as MetricState;
      expect(stored).toEqual(state);
      expect(mergeStates(stored, emptyState(state.kind))).toEqual(state);
    },
  );

  test('counts a proportion', () => {
    expect(filled.proportion).toEqual({ kind: 'proportion', units: 2, successes: 1 });
  });

  test('refuses what it does not take, and to be mixed', () => {
    expect(() => observe(filled.proportion, { value: 0.5 })).toThrow('a proportion takes 0 or 1, not 0.5');
    expect(() => observe(filled.mean, { value: Infinity })).toThrow('a finite number, not Infinity');
    expect(() => observe(filled.pair, { value: 1 })).toThrow('two finite numbers, not 1 and none');
    expect(() => mergeStates(filled.mean, filled.pair)).toThrow('these are a mean and a pair');
  });
});
