import { describe, expect, test } from 'vitest';
import { analyse } from '../../../../experiments/statistics/analysis/analyse.ts';
import { DEFAULT_SETTINGS } from '../../../../experiments/statistics/analysis/input.ts';
import type { EpochState, MetricPlan } from '../../../../experiments/statistics/analysis/input.ts';
import type { MetricResult, Results } from '../../../../experiments/statistics/analysis/results.ts';
import type { MetricState } from '../../../../experiments/statistics/states/metric-state.ts';
import { addPair, NO_PAIRS } from '../../../../experiments/statistics/states/pair-state.ts';
import { histogramOf } from '../../../../experiments/statistics/states/log-histogram.ts';
import { normal, seededRandom } from '../../../../bench/simulations/random.ts';
import { ACCEPTED, arm, epoch, inputOf, P99, proportion } from './sample-input.ts';

function metricOf(results: Results, name = 'accepted', variant = 'v2'): MetricResult {
  return (
    results.metrics.find((metric) => metric.name === name && metric.variant === variant) ??
    expect.fail(`no metric ${name} of ${variant}`)
  );
}

describe('the verdict', () => {
  test('is to ship a variant whose goal is better', () => {
    const results = analyse(inputOf([epoch(10_000, 0.1, 0.13)]));
    expect(results.verdict).toBe('ship v2');
    expect(results.decision).toEqual({ kind: 'ship', variant: 'v2' });
  });

  test.each([
    [0.14, 0.17, 'ship v3'],
    [0.17, 0.14, 'ship v2'],
    [0.17, 0.06, 'ship v2'],
    [0.06, 0.06, 'keep v1'],
  ])('over two variants at %d and %d against 0.1 is to %s', (second, third, verdict) => {
    const rates = { v1: 0.1, v2: second, v3: third };
    const three: EpochState = {
      weights: { v1: 1, v2: 1, v3: 1 },
      variants: Object.fromEntries(
        Object.entries(rates).map(([name, rate]) => [
          name,
          arm(10_000, { accepted: proportion(10_000, rate) }),
        ]),
      ),
    };
    expect(analyse(inputOf([three], { variants: ['v1', 'v2', 'v3'] })).verdict).toBe(verdict);
  });

  test('is to keep control when the goal is worse', () => {
    expect(analyse(inputOf([epoch(10_000, 0.13, 0.1)])).decision).toEqual({
      kind: 'keep',
      variant: 'v1',
      why: 'worse',
    });
    expect(analyse(inputOf([epoch(10_000, 0.13, 0.1)])).verdict).toBe('keep v1');
  });

  test('turns round where less is better', () => {
    const metrics: readonly MetricPlan[] = [{ ...ACCEPTED, direction: 'decrease' }];
    expect(analyse(inputOf([epoch(10_000, 0.13, 0.1)], { metrics })).verdict).toBe('ship v2');
  });

  test('is to keep control when the minimum effect is ruled out', () => {
    const results = analyse(inputOf([epoch(200_000, 0.2, 0.2)]));
    expect(results.decision).toEqual({ kind: 'keep', variant: 'v1', why: 'no_minimum_effect' });
  });

  test('is to keep running, for as many units as the minimum effect takes', () => {
    const results = analyse(inputOf([epoch(2000, 0.1, 0.1)], { unitsPerDay: 10_000 }));
    expect(results.verdict).toMatch(/^keep running \(needs ~\d\d\d?,000 more units\)$/);
    const { unitsToGo, daysToGo } = metricOf(results).power;
    expect(daysToGo).toBeCloseTo((unitsToGo ?? 0) / 10_000, 10);
    // Having waited that long, the effect would be found with 80 % power: the detectable lift is the minimum effect.
    const later = analyse(inputOf([epoch(2000 + (unitsToGo ?? 0) / 2, 0.1, 0.1)]));
    expect(metricOf(later).power.minimumDetectableLift).toBeCloseTo(0.05, 3);
  });

  test('is to keep running while there are too few units to believe a sequence', () => {
    const weights = { v1: 9, v2: 1 };
    const few: EpochState = {
      weights,
      variants: {
        v1: arm(900, { accepted: proportion(900, 0.01) }),
        v2: arm(100, { accepted: proportion(100, 0) }),
      },
    };
    const results = analyse(inputOf([few]));
    expect(results.health.units.ok).toBe(false);
    expect(results.health.units.least).toBe(100);
    expect(metricOf(results).anytime).toEqual({ interval: null, p: 1 });
    expect(results.decision.kind).toBe('keep_running');
  });

  test('without a goal, or without a variant, is to keep running', () => {
    expect(analyse(inputOf([epoch(100, 0.1, 0.1)], { metrics: [] })).verdict).toBe('keep running');
    expect(analyse(inputOf([], { variants: ['v1'] })).verdict).toBe('keep running');
  });

  test('is that the sample ratio is broken, whatever the goal says', () => {
    const broken: EpochState = {
      weights: { v1: 1, v2: 1 },
      variants: {
        v1: arm(10_000, { accepted: proportion(10_000, 0.1) }),
        v2: arm(9000, { accepted: proportion(9000, 0.2) }),
      },
    };
    const results = analyse(inputOf([broken]));
    expect(results.verdict).toBe('broken: sample ratio');
    expect(results.health.srm.ok).toBe(false);
    expect(results.health.srm.p).toBeLessThan(0.001);
    expect(results.health.srm.variants.map(({ variant, expected }) => [variant, expected])).toEqual([
      ['v1', 9500],
      ['v2', 9500],
    ]);
  });

  test('names the API key that broke it', () => {
    const segment = (
      v1: number,
      v2: number,
    ): { weights: { v1: number; v2: number }; units: { v1: number; v2: number } } => ({
      weights: { v1: 1, v2: 1 },
      units: { v1, v2 },
    });
    const broken: EpochState = {
      weights: { v1: 1, v2: 1 },
      variants: { v1: arm(6000, {}), v2: arm(5000, {}) },
    };
    const breakdowns = {
      key: { web: [segment(2500, 2490)], batch: [segment(1000, 30)], mobile: [segment(2500, 2480)] },
      day: { monday: [segment(3000, 2500)], tuesday: [segment(3000, 2500)] },
    };
    const { causes } = analyse(inputOf([broken], { breakdowns, metrics: [] })).health.srm;
    expect(causes.key?.map(({ name }) => name)).toEqual(['batch']);
    expect(causes.day?.map(({ name }) => name)).toEqual(['monday', 'tuesday']);
  });

  test('is that outcomes are missing, overall or in one variant more than in the other', () => {
    const withOutcomes = (control: number, variant: number): EpochState => ({
      weights: { v1: 1, v2: 1 },
      variants: {
        v1: arm(10_000, { accepted: proportion(control, 0.1) }),
        v2: arm(10_000, { accepted: proportion(variant, 0.2) }),
      },
    });
    const few = analyse(inputOf([withOutcomes(2000, 2010)]));
    expect(few.verdict).toBe('broken: exposures without outcomes');
    expect(few.health.outcomes.share).toBeCloseTo(0.2005, 6);
    const lopsided = analyse(inputOf([withOutcomes(9000, 8500)]));
    expect(lopsided.verdict).toBe('broken: exposures without outcomes');
    expect(lopsided.health.outcomes.p).toBeLessThan(0.001);
    expect(analyse(inputOf([withOutcomes(9000, 8970)])).health.outcomes.ok).toBe(true);
  });

  test('is that the files of a variant were changed, whatever else there is', () => {
    const swapped: EpochState = {
      weights: { v1: 1, v2: 1 },
      variants: {
        v1: { ...arm(1000, { accepted: proportion(1000, 0.1) }), models: { a: 3000 } },
        v2: { ...arm(1000, { accepted: proportion(1000, 0.3) }), models: { b: 2000, c: 1000 } },
      },
    };
    const results = analyse(inputOf([swapped]));
    expect(results.verdict).toBe('broken: the files of a variant were changed');
    expect(results.health.models).toEqual({
      ok: false,
      changed: ['v2'],
      variants: { v1: { a: 3000 }, v2: { b: 2000, c: 1000 } },
    });
  });

  test('is that one variant turns callers away whom the other takes, which is a variant’s fault only where it is more', () => {
    const turnedAway = (control: number, variant: number): EpochState => ({
      weights: { v1: 8, v2: 2 },
      variants: {
        v1: { ...arm(800, {}), judged: [800, control] },
        v2: { ...arm(200, {}), judged: [200, variant] },
      },
    });
    const all = analyse(inputOf([turnedAway(0, 200)], { metrics: [] }));
    expect(all.verdict).toBe('broken: variants turn callers away unevenly');
    expect(all.health.clientErrors).toMatchObject({ ok: false, worse: ['v2'], shares: { v1: 0, v2: 1 } });
    const fewer = analyse(inputOf([turnedAway(400, 0)], { metrics: [] })).health.clientErrors;
    expect(fewer).toMatchObject({ ok: false, worse: [] });
    // Mistakes of the callers' own fall to both alike.
    const alike = analyse(inputOf([turnedAway(400, 104)], { metrics: [] })).health.clientErrors;
    expect(alike).toMatchObject({ ok: true, worse: [] });
  });

  test('is not broken by a small arm that happens to lack no outcome, and is by one that lacks most', () => {
    const withOutcomes = (control: number, variant: number): EpochState => ({
      weights: { v1: 9, v2: 1 },
      variants: {
        v1: arm(1800, { accepted: proportion(control, 0.1) }),
        v2: arm(200, { accepted: proportion(variant, 0.1) }),
      },
    });
    // A share of 97 %: 200 of 200 happen once in 440 experiments, which is no alarm at one in a thousand.
    const chance = analyse(inputOf([withOutcomes(1746, 200)]));
    expect(chance.health.outcomes.ok).toBe(true);
    expect(chance.health.outcomes.p).toBeGreaterThan(0.001);
    const lost = analyse(inputOf([withOutcomes(1746, 150)]));
    expect(lost.health.outcomes.p).toBeLessThan(0.001);
    expect(lost.verdict).toBe('broken: exposures without outcomes');
  });

  test('is that overrides are too many', () => {
    const results = analyse(
      inputOf([epoch(10_000, 0.1, 0.13)], { requests: { all: 1000, overridden: 200 } }),
    );
    expect(results.verdict).toBe('broken: too many overrides');
    expect(results.health.overrides).toEqual({ share: 0.2, ok: false });
  });
});

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

test('a control that is no variant is refused', () => {
  expect(() => analyse(inputOf([], { control: 'v9' }))).toThrow(
    'control "v9" is not one of the variants v1, v2',
  );
});
