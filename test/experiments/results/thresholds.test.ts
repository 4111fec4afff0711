import { describe, expect, test } from 'vitest';
import { both, experimentWith, resultsOf } from './analysed-units.ts';

describe('fixed values of guardrails', () => {
  const GUARDED =
    'metrics: [{ name: correct, kind: proportion, role: goal }, { name: errors, kind: proportion, source: error_rate, role: guardrail }]\n' +
    'guardrails: [{ metric: errors, maximum: 0.05 }]';

  /** Version 2 is right more often, and fails as often as said. */
  const units = (failures: number) =>
    both(1000, (index, variant) => ({
      outcomes: { correct: Number(index % 10 < (variant === 'v2' ? 9 : 7)) },
      values: { error_rate: Number((index * 7) % 1000 < (variant === 'v2' ? failures : 20)) },
    }));

  test('a variant that is beyond one for sure does not ship, however much better its goal is, and the result says why', async () => {
    const results = await resultsOf(experimentWith(GUARDED), units(200));
    expect(results.metrics.find(({ name }) => name === 'correct')).toMatchObject({ outcome: 'better' });
    expect(results.verdict).toBe('keep v1');
    expect(results.decision).toEqual({ kind: 'keep', variant: 'v1', why: 'guardrail' });
    expect(results.thresholds).toMatchObject([
      { metric: 'errors', variant: 'v1', bound: 'maximum', value: 0.05, estimate: 0.02, outcome: 'within' },
      { metric: 'errors', variant: 'v2', bound: 'maximum', value: 0.05, estimate: 0.2, outcome: 'beyond' },
    ]);
    expect(results.thresholds[1]?.p).toBeLessThan(0.025);
  });

  test('what is beyond it and may be chance is told as open, and decides nothing', async () => {
    const results = await resultsOf(
      experimentWith(GUARDED.replace('maximum: 0.05', 'maximum: 0.05, maximumHarm: 5')),
      units(52),
    );
    expect(results.thresholds[1]).toMatchObject({ variant: 'v2', estimate: 0.052, outcome: 'open' });
    expect(results.verdict).toBe('ship v2');
  });

  test('a control that is beyond one is told, and no other variant is blamed for it', async () => {
    const experiment = experimentWith(GUARDED.replace('maximum: 0.05', 'minimum: 0.1, maximumHarm: 10'));
    const results = await resultsOf(experiment, units(200));
    expect(results.thresholds).toMatchObject([
      { variant: 'v1', bound: 'minimum', outcome: 'beyond' },
      { variant: 'v2', bound: 'minimum', outcome: 'within' },
    ]);
    expect(results.verdict).toBe('ship v2');
  });

  test('a share that nobody has had by now is not below a minimum for sure, as long as it is likely enough to be chance', async () => {
    const experiment = experimentWith(
      'metrics: [{ name: bought, kind: proportion, role: guardrail }]\nguardrails: [{ metric: bought, minimum: 0.002 }]',
    );
    const { thresholds } = await resultsOf(
      experiment,
      both(1300, () => ({ outcomes: { bought: 0 } })),
    );
    expect(thresholds.map(({ outcome }) => outcome)).toEqual(['open', 'open']);
  });

  test('there is nothing to tell before there are units', async () => {
    const results = await resultsOf(experimentWith(GUARDED), []);
    expect(results.thresholds).toMatchObject([
      { variant: 'v1', estimate: null, units: 0, outcome: 'no_data' },
      { variant: 'v2', estimate: null, units: 0, outcome: 'no_data' },
    ]);
  });

  test('a covariate makes no arm’s own mean better known: it is held against a fixed value as without one', async () => {
    const metric = (more: string) =>
      `metrics: [{ name: spent, kind: mean, role: guardrail${more} }]\nguardrails: [{ metric: spent, maximum: 10 }]`;
    const units = both(1000, (index) => {
      const before = index % 2 === 0 ? 7.2 : 13.2;
      return { outcomes: { spent: before + (index % 4 < 2 ? 0.1 : -0.1), before } };
    });
    const { thresholds, metrics } = await resultsOf(experimentWith(metric(', covariate: before')), units);
    expect(metrics[0]?.varianceReduction).toBeGreaterThan(0.99);
    expect(thresholds).toEqual((await resultsOf(experimentWith(metric('')), units)).thresholds);
    expect(thresholds.map(({ outcome }) => outcome)).toEqual(['open', 'open']);
  });

  describe('where values are winsorised', () => {
    const experiment = experimentWith(
      'metrics: [{ name: revenue, kind: mean, role: guardrail, winsorize: 0.9 }]\nguardrails: [{ metric: revenue, maximum: 50 }]',
    );

    test('they are capped as in the comparison of the variants', async () => {
      const units = both(1000, (index, variant) => ({
        outcomes: { revenue: index < (variant === 'v2' ? 300 : 80) ? 100 : 10 },
      }));
      const { thresholds, metrics } = await resultsOf(experiment, units);
      const estimates = thresholds.map(({ estimate }) => estimate);
      expect(estimates).toEqual([metrics[0]?.control, metrics[0]?.estimate]);
    });

    test('and are not said to be 0 where all of them would be capped at it', async () => {
      const units = both(1000, (index) => ({ outcomes: { revenue: index < 50 ? 2000 : 0 } }));
      const { thresholds } = await resultsOf(experiment, units);
      expect(thresholds).toMatchObject([
        { variant: 'v1', estimate: null, outcome: 'unfit' },
        { variant: 'v2', estimate: null, outcome: 'unfit' },
      ]);
    });
  });
});
