import { describe, expect, test } from 'vitest';
import { analyse } from '../../../../experiments/statistics/analysis/analyse.ts';
import type { EpochState, MetricPlan } from '../../../../experiments/statistics/analysis/input.ts';
import { ACCEPTED, arm, epoch, inputOf, metricOf, proportion } from './sample-input.ts';

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
