import { expect, test } from 'vitest';
import { analyse } from '../../../../experiments/statistics/analysis/analyse.ts';
import type { EpochState } from '../../../../experiments/statistics/analysis/input.ts';
import { arm, epoch, inputOf, metricOf } from './sample-input.ts';

test('the result is plain JSON in the words of the contract', () => {
  const results = analyse(inputOf([epoch(10_000, 0.1, 0.13)], { unitsPerDay: 500 }));
  expect(JSON.parse(JSON.stringify(results))).toEqual(results);
  expect(Object.keys(results)).toEqual(
    expect.arrayContaining(['experiment', 'phase', 'verdict', 'health', 'variants', 'metrics']),
  );
  expect(results.variants[1]).toEqual({ name: 'v2', units: 10_000, exposures: 30_000, drift: null });
  expect(Object.keys(metricOf(results))).toEqual(
    expect.arrayContaining([
      'name',
      'role',
      'variant',
      'estimate',
      'lift',
      'welch',
      'anytime',
      'chanceToWin',
    ]),
  );
});

test('the same states give the same result, whatever the order in which they were merged', () => {
  const results = (epochs: readonly EpochState[]): string => JSON.stringify(analyse(inputOf(epochs)));
  expect(results([epoch(1000, 0.1, 0.12)])).toBe(
    results([JSON.parse(JSON.stringify(epoch(1000, 0.1, 0.12))) as EpochState]),
  );
});

test('outputs that shifted are told as drift', () => {
  const outputs = (a: number, b: number): EpochState => ({
    weights: { v1: 1, v2: 1 },
    variants: {
      v1: { ...arm(100, {}), outputs: { zero: 50, one: 50 } },
      v2: { ...arm(100, {}), outputs: { zero: a, one: b } },
    },
  });
  const driftOf = (epochState: EpochState): unknown =>
    analyse(inputOf([epochState], { metrics: [] })).variants[1]?.drift;
  expect(driftOf(outputs(50, 50))).toEqual({ psi: 0, totalVariation: 0 });
  expect(driftOf(outputs(90, 10))).toMatchObject({ totalVariation: 0.4 });
});

test('a drift of the traffic is none of the variant that got its units later', () => {
  const epochOfShares = (a: number, b: number, zero: number): EpochState => ({
    weights: { v1: a, v2: b },
    variants: {
      v1: { ...arm(a, {}), outputs: { zero: a * zero, one: a * (1 - zero) } },
      v2: { ...arm(b, {}), outputs: { zero: b * zero, one: b * (1 - zero) } },
    },
  });
  const alone = { weights: { v1: 100, v2: 0 }, variants: { v1: { ...arm(100, {}), outputs: { two: 100 } } } };
  const epochs = [alone, epochOfShares(950, 50, 0.8), epochOfShares(500, 500, 0.2)];
  const drift = analyse(inputOf(epochs, { metrics: [] })).variants[1]?.drift;
  expect(drift?.psi).toBeCloseTo(0, 12);
  expect(drift?.totalVariation).toBeCloseTo(0, 12);
});

test('a control that is no variant is refused', () => {
  expect(() => analyse(inputOf([], { control: 'v9' }))).toThrow(
    'control "v9" is not one of the variants v1, v2',
  );
});
