import { describe, expect, test } from 'vitest';
import { countedMetrics } from '../../../experiments/counted-metric.ts';
import type { Experiment } from '../../../experiments/definition.ts';
import { epochOf } from '../../../experiments/epoch.ts';
import { experimentResults } from '../../../experiments/results/experiment-results.ts';
import type { UnitExposure } from '../../../experiments/stores/ledger.ts';
import { MemoryStore } from '../../../experiments/stores/memory/memory-store.ts';
import { CORRECT, DAY_MS, START_MS, both, experimentWith, resultsOf } from './analysed-units.ts';
import type { Unit } from './analysed-units.ts';

describe('from what a store has', () => {
  test('a goal that is clearly better ships, with the variants’ units and requests beside it', async () => {
    const units = both(1000, (index, variant) => ({
      outcomes: { correct: Number(index % 10 < (variant === 'v2' ? 9 : 7)) },
    }));
    const results = await resultsOf(experimentWith(CORRECT), units);
    expect(results.verdict).toBe('ship v2');
    expect(results.variants).toMatchObject([
      { name: 'v1', units: 1000, exposures: 1000 },
      { name: 'v2', units: 1000, exposures: 1000 },
    ]);
    expect(results.metrics).toMatchObject([
      { name: 'correct', variant: 'v2', control: 0.7, estimate: 0.9, units: 2000, outcome: 'better' },
    ]);
    expect(results.health).toMatchObject({ srm: { ok: true }, outcomes: { share: 1 } });
    expect(results.health.overrides.share).toBeCloseTo(2 / 2002, 10);
  });

  test('a covariate takes its part of the variance out, whenever it comes, and the estimate stays', async () => {
    // Revenue is the customer's own level, plus a little noise, plus 0.2 by the variant.
    const revenue = (index: number, variant: string): number =>
      (index % 50) + ((index * 7) % 11) / 11 + (variant === 'v2' ? 0.2 : 0);
    const units = (first: boolean) =>
      both(1000, (index, variant) => {
        const before = { before: index % 50 };
        const after = { revenue: revenue(index, variant) };
        return { outcomes: first ? { ...before, ...after } : { ...after, ...before } };
      });
    const plain = experimentWith('metrics: [{ name: revenue, kind: mean, role: goal }]');
    const cuped = experimentWith('metrics: [{ name: revenue, kind: mean, role: goal, covariate: before }]');
    const [without] = (await resultsOf(plain, units(true))).metrics;
    const [first] = (await resultsOf(cuped, units(true))).metrics;
    const [last] = (await resultsOf(cuped, units(false))).metrics;
    expect(first?.varianceReduction).toBeGreaterThan(0.99);
    expect(last).toEqual(first);
    expect(without).toMatchObject({ varianceReduction: null, outcome: 'open' });
    expect(first?.difference?.estimate).toBeCloseTo(0.2, 2);
    expect(without?.difference?.estimate).toBeCloseTo(0.2, 2);
    expect(first?.outcome).toBe('better');
  });

  test('units without a covariate count as 0 of it, and a covariate that is a metric is one too', async () => {
    const experiment = experimentWith(
      'metrics: [{ name: bought, kind: proportion, covariate: bought_before }, { name: bought_before, kind: proportion }]',
    );
    const units = both(400, (index) => ({
      outcomes: { bought: index % 2, ...(index % 4 === 1 && { bought_before: 1 }) },
    }));
    const [bought, before] = (await resultsOf(experiment, units)).metrics;
    // A half bought, a quarter had before, and all of these bought: a squared correlation of (1/8)² / (1/4 · 3/16).
    expect(bought?.varianceReduction).toBeCloseTo(1 / 3, 10);
    expect(before).toMatchObject({ name: 'bought_before', units: 200, varianceReduction: null });
  });

  test('what answers said gives the drift of each variant, and a metric of that source is its size', async () => {
    const experiment = experimentWith(
      'metrics: [{ name: drift, kind: mean, source: drift, role: secondary }, { name: sure, kind: mean, source: confidence }]',
    );
    const units = both(100, (index, variant) => ({
      category: index < (variant === 'v2' ? 40 : 50) ? 'cat' : 'dog',
      values: { confidence: variant === 'v2' ? 0.75 : 0.5 },
    }));
    const { variants, metrics, builtIn } = await resultsOf(experiment, units);
    const psi = -0.1 * Math.log(0.4 / 0.5) + 0.1 * Math.log(0.6 / 0.5);
    expect(variants.map(({ drift }) => drift)).toEqual([
      { psi: 0, totalVariation: 0 },
      { psi: expect.closeTo(psi, 12) as number, totalVariation: expect.closeTo(0.1, 12) as number },
    ]);
    expect(metrics).toMatchObject([
      { name: 'sure', control: 0.5, estimate: 0.75, lift: 0.5 },
      { name: 'drift', variant: 'v2', units: 200, outcome: 'open', lift: null },
    ]);
    expect(metrics[1]?.estimate).toBeCloseTo(psi, 12);
    expect(builtIn.find(({ name }) => name === 'confidence')).toMatchObject({ control: 0.5, estimate: 0.75 });
  });

  test('means and ratios have the estimate and the variance of their units', async () => {
    const experiment = experimentWith(
      'metrics: [{ name: revenue, kind: mean }, { name: per_view, kind: ratio }]',
    );
    // 1000.1 and 1000.3 in turn for control: their variance is 0.01 n/(n-1), though their squares are a million.
    const units = both(500, (index, variant) => ({
      outcomes: {
        revenue: 1000.1 + 0.2 * (index % 2) + (variant === 'v2' ? 0.05 : 0),
        per_view: [index % 3, 2] as const,
      },
    }));
    const { metrics } = await resultsOf(experiment, units);
    const [revenue, perView] = metrics;
    expect(revenue?.control).toBeCloseTo(1000.2, 9);
    expect(revenue?.difference?.estimate).toBeCloseTo(0.05, 9);
    // Two samples of 500 with variance 0.01002: the standard error is 0.00633, and 1.96 of them reach 0.0124.
    const [low, high] = revenue?.difference?.welch ?? [];
    expect(((high ?? 0) - (low ?? 0)) / 2).toBeCloseTo(1.9624 * Math.sqrt((2 * 0.01 * (500 / 499)) / 500), 4);
    expect(perView?.control).toBeCloseTo(0.499, 9);
  });

  test('what the gateway measures is shown without being asked for, and where a metric names it as its source', async () => {
    const experiment = experimentWith(
      'metrics: [{ name: p90, kind: quantile, quantile: 0.9, source: compute, role: guardrail }]',
    );
    const units = both(400, (index, variant) => ({
      values: {
        error_rate: 0,
        latency: 5 + (index % 10),
        compute: (variant === 'v2' ? 4 : 2) + (index % 10) / 100,
      },
    }));
    const { metrics, builtIn, verdict } = await resultsOf(experiment, units);
    expect(metrics).toMatchObject([{ name: 'p90', role: 'guardrail', outcome: 'worse' }]);
    expect(verdict).toBe('keep v1');
    expect(builtIn.map(({ name }) => name)).toEqual([
      'error_rate',
      'latency_p50',
      'latency_p99',
      'compute_p50',
      'compute_p99',
    ]);
    expect(builtIn[3]?.lift).toBeCloseTo(1, 1);
  });

  test('maximumHarm is what a guardrail puts up with', async () => {
    const p90 = (guardrails: string) =>
      experimentWith(
        `metrics: [{ name: p90, kind: quantile, quantile: 0.9, source: compute, role: guardrail }]\n${guardrails}`,
      );
    const units = both(2000, (index, variant) => ({
      values: { compute: (variant === 'v2' ? 2.2 : 2) * (1 + (index % 10) / 1000) },
    }));
    const outcome = async (guardrails: string) =>
      (await resultsOf(p90(guardrails), units)).metrics[0]?.outcome;
    expect(await outcome('')).toBe('worse');
    expect(await outcome('guardrails: [{ metric: p90, maximumHarm: 0.3 }]')).toBe('open');
  });
});

describe('units without a value', () => {
  test('are lost outcomes, where outcomes are sent', async () => {
    const { verdict, health } = await resultsOf(
      experimentWith(CORRECT),
      both(200, (index): Omit<Unit, 'variant'> => (index % 4 === 0 ? { outcomes: { correct: 1 } } : {})),
    );
    expect(verdict).toBe('broken: exposures without outcomes');
    expect(health.outcomes.share).toBe(0.25);
  });

  test('are none while a window is open', async () => {
    const windowed = experimentWith(
      'metrics: [{ name: correct, kind: proportion, role: goal, window: 24h }]',
    );
    const open = await resultsOf(
      windowed,
      both(200, () => ({})),
      START_MS + DAY_MS / 2,
    );
    expect(open.verdict).toBe('keep running');
    const closed = await resultsOf(
      windowed,
      both(200, () => ({})),
      START_MS + DAY_MS + 1,
    );
    expect(closed.metrics[0]?.units).toBe(400);
  });
});

test('units of each split are held against the shares of that split', async () => {
  const store = new MemoryStore();
  const before = experimentWith(CORRECT);
  const after = {
    ...before,
    variants: before.variants.map((variant, index) => ({ ...variant, weight: index === 0 ? 99 : 1 })),
  };
  const record = async (experiment: Experiment, first: number, ofV2: number) => {
    const { epoch, ...split } = epochOf(experiment);
    const units = Array.from({ length: 100 }, (_, index): UnitExposure => {
      const unit = (first + index).toString(16).padStart(16, '0');
      const variant = index < ofV2 ? 'v2' : 'v1';
      const scope = { experiment: 'digits', phase: 1, epoch };
      return { ...scope, variant, unit, uid: unit, atMs: START_MS, keyId: '', values: {}, windowsMs: [] };
    });
    await store.recordExposures({
      epochs: [{ experiment: 'digits', phase: 1, epoch, ...split }],
      requests: [],
      units,
    });
  };
  await record(before, 0, 50);
  await record(after, 1000, 1);
  const tallies = await store.tallies('digits', 1, countedMetrics(after.metrics), START_MS);
  // 51 of 200 would be a mismatch for one split; it is none for 50 of 100 and then 1 of 100.
  expect(experimentResults(after, tallies, START_MS).health.srm).toMatchObject({
    ok: true,
    variants: [
      { variant: 'v1', units: 149, expected: 149 },
      { variant: 'v2', units: 51, expected: 51 },
    ],
  });
});

test('cache hits are a metric of their own, by each unit’s first request', async () => {
  const units = both(500, (index, variant) => ({
    values: { error_rate: 0, cache_hits: Number(index % 10 < (variant === 'v2' ? 9 : 1)) },
  }));
  const experiment = experimentWith(
    'metrics: [{ name: hits, kind: proportion, source: cache_hits, role: goal }]',
  );
  const { metrics, builtIn, verdict } = await resultsOf(experiment, units);
  expect(metrics).toMatchObject([{ name: 'hits', control: 0.1, estimate: 0.9, outcome: 'better' }]);
  expect(builtIn.find(({ name }) => name === 'cache_hits')).toMatchObject({
    estimate: 0.9,
    outcome: 'better',
  });
  expect(verdict).toBe('ship v2');
});
