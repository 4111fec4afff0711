import { describe, expect, test } from 'vitest';
import { analyse } from '../../../../experiments/statistics/analysis/analyse.ts';
import { DEFAULT_SETTINGS } from '../../../../experiments/statistics/analysis/input.ts';
import type { MetricPlan } from '../../../../experiments/statistics/analysis/input.ts';
import type { MetricResult } from '../../../../experiments/statistics/analysis/results.ts';
import type { MetricState } from '../../../../experiments/statistics/states/metric-state.ts';
import { addPair, NO_PAIRS } from '../../../../experiments/statistics/states/pair-state.ts';
import { histogramOf } from '../../../../experiments/statistics/states/log-histogram.ts';
import { normal, seededRandom } from '../../../../bench/simulations/random.ts';
import { ACCEPTED, arm, epoch, inputOf, metricOf, P99, proportion } from './sample-input.ts';

describe('a metric', () => {
  test('has an interval of the lift that leaves out zero exactly where the corrected p-value is below alpha', () => {
    for (let successes = 1000; successes <= 1300; successes += 10) {
      const results = analyse(inputOf([epoch(10_000, 0.1, successes / 10_000)]));
      const { anytime, difference, adjustedP, outcome } = metricOf(results);
      const below = anytime.p < 0.05;
      expect((anytime.interval?.[0] ?? 0) > 0, `${successes}`).toBe(below);
      expect((difference?.anytime?.[0] ?? 0) > 0).toBe(below);
      expect(adjustedP).toBe(anytime.p);
      expect(outcome).toBe(below ? 'better' : 'open');
    }
  });

  test('has wider always-valid than fixed intervals, both around the lift', () => {
    const { welch, anytime, lift, chanceToWin, expectedLoss } = metricOf(
      analyse(inputOf([epoch(5000, 0.1, 0.12)])),
    );
    expect(lift).toBeCloseTo(0.2, 12);
    const [low, high] = [welch?.[0] ?? Number.NaN, welch?.[1] ?? Number.NaN];
    expect(low).toBeGreaterThan(anytime.interval?.[0] ?? Number.NaN);
    expect(high).toBeLessThan(anytime.interval?.[1] ?? Number.NaN);
    expect(low).toBeLessThan(0.2);
    expect(high).toBeGreaterThan(0.2);
    expect(chanceToWin).toBeGreaterThan(0.99);
    expect(expectedLoss).toBeLessThan(0.001);
  });

  test('is corrected over goals and variants by Holm, or by Benjamini and Hochberg', () => {
    const three = {
      weights: { v1: 1, v2: 1, v3: 1 },
      variants: {
        v1: arm(10_000, { accepted: proportion(10_000, 0.1) }),
        v2: arm(10_000, { accepted: proportion(10_000, 0.116) }),
        v3: arm(10_000, { accepted: proportion(10_000, 0.115) }),
      },
    };
    const adjusted = (correction: 'holm' | 'benjamini-hochberg' | 'none'): readonly number[] => {
      const settings = { ...DEFAULT_SETTINGS, correction };
      const results = analyse(inputOf([three], { variants: ['v1', 'v2', 'v3'], settings }));
      return ['v2', 'v3'].map((variant) => metricOf(results, 'accepted', variant).adjustedP);
    };
    const [small = 0, large = 0] = adjusted('none');
    expect(small).toBeLessThan(large);
    expect(adjusted('holm')).toEqual([Math.min(1, 2 * small), Math.min(1, Math.max(2 * small, large))]);
    expect(adjusted('benjamini-hochberg')).toEqual([Math.min(2 * small, large), large]);
  });

  test('is corrected for goals without values too, so that the level holds whichever has some', () => {
    const goals = ['accepted', 'second', 'third'].map((name) => ({
      ...ACCEPTED,
      name,
      entersByItself: true,
    }));
    const results = analyse(inputOf([epoch(10_000, 0.1, 0.116)], { metrics: goals }));
    const { anytime, adjustedP, alpha } = metricOf(results);
    expect(adjustedP).toBeCloseTo(3 * anytime.p, 12);
    expect(alpha).toBeCloseTo(0.05 / 3, 12);
  });

  test('has the level that it has beside a goal whose values can be analysed, also while they cannot', () => {
    const second = { ...ACCEPTED, name: 'second', entersByItself: true };
    const [beside, alone] = [
      { metrics: [ACCEPTED, second] },
      { metrics: [ACCEPTED], unfit: [{ name: 'second', role: 'goal' as const }] },
    ].map((metrics) => metricOf(analyse(inputOf([epoch(10_000, 0.1, 0.116)], metrics))));
    expect(alone?.alpha).toBe(0.025);
    expect(alone).toEqual(beside);
  });

  test('with a covariate has its variance reduced and its interval narrowed', () => {
    const random = seededRandom(3);
    const pairs = (effect: number): MetricState => {
      let moments = NO_PAIRS;
      for (let unit = 0; unit < 4000; unit += 1) {
        const before = normal(random);
        moments = addPair(moments, 5 + effect + 0.9 * before + 0.3 * normal(random), before);
      }
      return { kind: 'pair', moments };
    };
    const states = { v1: pairs(0), v2: pairs(0.05) };
    const resultOf = (covariate: boolean): MetricResult => {
      const plain = (state: MetricState): MetricState =>
        state.kind === 'pair' && !covariate ? { kind: 'mean', moments: state.moments.x } : state;
      const metrics: readonly MetricPlan[] = [
        { name: 'value', role: 'goal', direction: 'increase', type: 'mean', covariate },
      ];
      const variants = {
        v1: arm(4000, { value: plain(states.v1) }),
        v2: arm(4000, { value: plain(states.v2) }),
      };
      return metricOf(analyse(inputOf([{ weights: { v1: 1, v2: 1 }, variants }], { metrics })), 'value');
    };
    const [without, withCovariate] = [resultOf(false), resultOf(true)];
    expect(without.varianceReduction).toBeNull();
    expect(withCovariate.varianceReduction).toBeCloseTo(0.9, 1);
    const width = ({ welch }: MetricResult): number => (welch?.[1] ?? 0) - (welch?.[0] ?? 0);
    expect(width(withCovariate) / width(without)).toBeCloseTo(
      Math.sqrt(1 - (withCovariate.varianceReduction ?? 0)),
      2,
    );
  });

  test('that is winsorised is not moved by one huge value', () => {
    const values = Array.from({ length: 1000 }, (_, i) => 1 + (i % 10));
    const withOutlier: MetricState = { kind: 'histogram', histogram: histogramOf([...values, 1e9]) };
    const plain: MetricState = { kind: 'histogram', histogram: histogramOf([...values, 5]) };
    const metrics: readonly MetricPlan[] = [
      { name: 'value', role: 'secondary', direction: 'increase', type: 'mean', winsorise: 0.99 },
    ];
    const variants = { v1: arm(1001, { value: plain }), v2: arm(1001, { value: withOutlier }) };
    const results = analyse(inputOf([{ weights: { v1: 1, v2: 1 }, variants }], { metrics }));
    expect(Math.abs(metricOf(results, 'value').lift ?? 1)).toBeLessThan(0.01);
  });

  test('whose control is zero has no lift, and its difference all the same', () => {
    const results = analyse(inputOf([epoch(10_000, 0, 0.01)]));
    const { lift, welch, difference, outcome } = metricOf(results);
    expect([lift, welch]).toEqual([null, null]);
    expect(difference?.estimate).toBeCloseTo(0.01, 12);
    expect(outcome).toBe('better');
  });

  test('in which all succeeded, or none, is believed as its Beta posteriors say', () => {
    // With V ~ Beta(1001, 1) and C ~ Beta(991, 11): P(V < C) = E[C^1001], E[max(C - V, 0)] = E[C^1002] / 1002, and the moments of a Beta are products.
    const momentOfControl = (k: number): number =>
      Array.from({ length: 11 }, (_, j) => (991 + j) / (991 + k + j)).reduce((a, b) => a * b, 1);
    const all = metricOf(analyse(inputOf([epoch(1000, 0.99, 1)])));
    expect(all.chanceToWin).toBeCloseTo(1 - momentOfControl(1001), 9);
    expect(all.chanceToWin).toBeCloseTo(0.9995, 4);
    expect(all.expectedLoss).toBeCloseTo(momentOfControl(1002) / 1002 / 0.99, 9);
    const metrics: readonly MetricPlan[] = [{ ...ACCEPTED, direction: 'decrease' }];
    const none = metricOf(analyse(inputOf([epoch(1000, 0.01, 0)], { metrics })));
    expect(none.chanceToWin).toBeCloseTo(all.chanceToWin ?? 0, 9);
    const unheardOf = metricOf(analyse(inputOf([epoch(1000, 0, 0.01)])));
    expect(unheardOf.chanceToWin).toBeCloseTo(all.chanceToWin ?? 0, 9);
    expect(unheardOf.expectedLoss).toBeNull();
  });

  test('that is a quantile of zero under control is worse where it rises and less is better', () => {
    const retries = (zeros: number, units: number): MetricState => ({
      kind: 'histogram',
      histogram: { zeros, counts: histogramOf(Array.from({ length: units - zeros }, () => 5)).counts },
    });
    const median = (
      control: number,
      variant: number,
      more: Partial<Pick<MetricPlan, 'role' | 'direction' | 'margin'>> = {},
    ): MetricResult => {
      const plan = {
        name: 'retries',
        role: 'goal',
        direction: 'decrease',
        type: 'quantile',
        quantile: 0.5,
      } as const;
      const metrics: readonly MetricPlan[] = [{ ...plan, ...more }];
      const variants = {
        v1: arm(10_000, { retries: retries(control, 10_000) }),
        v2: arm(10_000, { retries: retries(variant, 10_000) }),
      };
      return metricOf(analyse(inputOf([{ weights: { v1: 1, v2: 1 }, variants }], { metrics })), 'retries');
    };
    const worse = median(6000, 1000);
    expect([worse.control, worse.lift]).toEqual([0, null]);
    expect([worse.outcome, worse.anytime.interval]).toEqual(['worse', null]);
    expect(median(1000, 6000)).toMatchObject({ outcome: 'better', lift: -1, anytime: { interval: null } });
    expect(median(6000, 1000, { direction: 'increase' }).outcome).toBe('better');
    expect(median(6000, 6100).outcome).toBe('open');
    expect(median(6000, 1000, { role: 'guardrail', margin: 0.5 }).outcome).toBe('worse');
    expect(median(1000, 6000, { role: 'guardrail', margin: 0.5 }).outcome).toBe('better');
  });

  test('in a state of another kind is refused', () => {
    const metrics: readonly MetricPlan[] = [{ ...ACCEPTED, type: 'ratio' }];
    expect(() => analyse(inputOf([epoch(10, 0.1, 0.1)], { metrics }))).toThrow(
      'metric "accepted" of type ratio has a state of kind proportion',
    );
    expect(() =>
      analyse(inputOf([epoch(10, 0.1, 0.1)], { metrics: [{ ...P99, name: 'accepted' }] })),
    ).toThrow('of type quantile has a state of kind proportion');
  });
});
