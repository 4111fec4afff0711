import { describe, expect, test } from 'vitest';
import {
  betaPosterior,
  compareProportions,
} from '../../../../experiments/statistics/bayesian/beta-posterior.ts';
import { normalPosterior } from '../../../../experiments/statistics/bayesian/normal-posterior.ts';
import { compareArms, relativeLift } from '../../../../experiments/statistics/estimates/comparison.ts';
import vectors from '../../../vectors/statistics/fixed.json' with { type: 'json' };
import { sampleOf } from '../vector-arms.ts';

describe('the normal posterior of a lift', () => {
  test("has GrowthBook's published chance to win and loss", () => {
    // packages/stats/tests/bayesian/test_tests.py, TestBinom and TestNorm.
    const published = [
      {
        control: { kind: 'proportion', units: 100, successes: 49 },
        variant: { kind: 'proportion', units: 100, successes: 51 },
        prior: 'flat',
        chance: 0.60918,
        loss: 0.04058,
        interval: [-0.24779, 0.32943],
      },
      {
        control: { kind: 'mean', n: 10, sum: 100, sumSquares: 1002.25 },
        variant: { kind: 'mean', n: 10, sum: 105, sumSquares: 1111.5 },
        prior: { mean: 0.1, deviation: Math.sqrt(0.1) },
        chance: 0.92315,
        loss: 0.00123,
        interval: [-0.01893, 0.12019],
      },
    ] as const;
    for (const { control, variant, prior, chance, loss, interval } of published) {
      const comparison = compareArms([{ control: sampleOf(control), variant: sampleOf(variant) }]);
      const lift = comparison && relativeLift(comparison);
      const posterior = lift && normalPosterior(lift, 'increase', 0.05, prior);
      expect(posterior?.chanceToWin).toBeCloseTo(chance, 5);
      expect(posterior?.expectedLoss).toBeCloseTo(loss, 5);
      expect(posterior?.interval[0]).toBeCloseTo(interval[0], 5);
      expect(posterior?.interval[1]).toBeCloseTo(interval[1], 5);
    }
  });

  test.each(vectors.bayesian)("agrees with GrowthBook's engine, chance $chanceToWin", (vector) => {
    const comparison = compareArms([
      { control: sampleOf(vector.control), variant: sampleOf(vector.variant) },
    ]);
    const lift = comparison && relativeLift(comparison);
    if (lift === undefined) expect.fail('control is not zero');
    const posterior = normalPosterior(lift, 'increase', 0.05, vector.prior ?? 'flat');
    expect(posterior?.chanceToWin).toBeCloseTo(vector.chanceToWin, 10);
    expect(posterior?.expectedLoss).toBeCloseTo(vector.loss, 10);
    expect(posterior?.expectedLossOfControl).toBeCloseTo(vector.lossOfControl, 10);
    expect(posterior?.interval[0]).toBeCloseTo(vector.interval[0] ?? Number.NaN, 10);
  });

  test('turns round where less is better', () => {
    const effect = { estimate: 0.1, standardError: 0.05 };
    const [more, less] = [
      normalPosterior(effect, 'increase', 0.05),
      normalPosterior(effect, 'decrease', 0.05),
    ];
    expect((more?.chanceToWin ?? 0) + (less?.chanceToWin ?? 0)).toBeCloseTo(1, 14);
    expect(less?.expectedLoss).toBe(more?.expectedLossOfControl);
  });
});

describe('the Beta posterior of a proportion', () => {
  test.each(vectors.proportions)(
    'agrees with numerical integration by scipy: chance $chanceToWin',
    (vector) => {
      const result = compareProportions(vector.control, vector.variant, 'increase');
      expect(result.chanceToWin).toBeCloseTo(vector.chanceToWin, 9);
      expect(Math.abs(result.expectedLoss - vector.loss)).toBeLessThan(1e-10);
      const reversed = compareProportions(vector.control, vector.variant, 'decrease');
      expect(reversed.chanceToWin).toBeCloseTo(1 - vector.chanceToWin, 9);
      expect(reversed.expectedLossOfControl).toBeCloseTo(vector.loss, 10);
    },
  );

  test("agrees with Miller's closed sum", () => {
    // "Formulas for Bayesian A/B testing", equation 6, for small whole numbers.
    const logGamma = (n: number): number =>
      Array.from({ length: n - 1 }, (_, i) => Math.log(i + 1)).reduce((a, b) => a + b, 0);
    const logBeta = (a: number, b: number): number => logGamma(a) + logGamma(b) - logGamma(a + b);
    const [control, variant] = [betaPosterior(40, 9), betaPosterior(35, 12)];
    let sum = 0;
    for (let i = 0; i < variant.a; i += 1) {
      sum += Math.exp(
        logBeta(control.a + i, control.b + variant.b) -
          Math.log(variant.b + i) -
          logBeta(1 + i, variant.b) -
          logBeta(control.a, control.b),
      );
    }
    expect(compareProportions(control, variant, 'increase').chanceToWin).toBeCloseTo(sum, 12);
  });

  test('is sure where the posteriors are far apart', () => {
    const result = compareProportions(betaPosterior(1e6, 1e5), betaPosterior(1e6, 5e5), 'increase');
    expect(result.chanceToWin).toBe(1);
    expect(result.expectedLoss).toBeCloseTo(0, 12);
    expect(result.expectedLossOfControl).toBeCloseTo(0.4, 5);
  });
});
