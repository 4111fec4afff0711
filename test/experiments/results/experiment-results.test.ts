import { describe, expect, test } from 'vitest';
import { parseYaml } from '../../../documents/yaml-document.ts';
import { countedMetrics } from '../../../experiments/counted-metric.ts';
import { readExperiment } from '../../../experiments/definition.ts';
import type { Experiment } from '../../../experiments/definition.ts';
import { epochOf } from '../../../experiments/epoch.ts';
import { experimentResults } from '../../../experiments/results/experiment-results.ts';
import { readHistogram } from '../../../experiments/stores/histogram.ts';
import { windowsOf } from '../../../experiments/stores/ledger.ts';
import type { Outcome, UnitExposure } from '../../../experiments/stores/ledger.ts';
import { MemoryStore } from '../../../experiments/stores/memory/memory-store.ts';

const START_MS = Date.UTC(2026, 10, 20, 12);
const DAY_MS = 86_400_000;

function experimentWith(fields: string): Experiment {
  const text =
    'key: digits\nmodel: digits\nstatus: running\ncontrol: v1\n' +
    `variants: [{ name: v1, version: 1, weight: 1 }, { name: v2, version: 2, weight: 1 }]\n${fields}\n`;
  return readExperiment(parseYaml(text, 'digits.yaml'), undefined);
}

/** What one unit did. */
interface Unit {
  readonly variant: string;
  readonly outcomes?: Readonly<Record<string, number | readonly [x: number, y: number]>>;
  readonly values?: Readonly<Record<string, number>>;
  readonly category?: string;
  readonly atMs?: number;
}

/** Brings units through a real store, and analyses what it has of them. */
async function resultsOf(experiment: Experiment, units: readonly Unit[], nowMs = START_MS) {
  const store = new MemoryStore();
  const metrics = countedMetrics(experiment.metrics);
  const { key, phase } = experiment;
  const split = epochOf(experiment);
  const exposures = units.map(({ variant, values = {}, category, atMs = START_MS }, index): UnitExposure => {
    const unit = index.toString(16).padStart(16, '0');
    const windowsMs = windowsOf(metrics);
    return {
      experiment: key,
      phase,
      epoch: split.epoch,
      variant,
      unit,
      uid: unit,
      atMs,
      keyId: '',
      values,
      ...(category !== undefined && { category }),
      windowsMs,
    };
  });
  const ofVariant = (variant: string) => units.filter((unit) => unit.variant === variant).length;
  await store.recordExposures({
    epochs: [{ experiment: key, phase, ...split }],
    requests: ['v1', 'v2'].map((variant) => ({
      ...{ experiment: key, phase, epoch: split.epoch, variant, requests: ofVariant(variant) },
      ...{ unitlessRequests: 0, errors: 0, uncounted: { override: 1 }, models: {} },
    })),
    units: exposures,
  });
  const outcomes = exposures.flatMap((exposure, index) =>
    Object.entries(units[index]?.outcomes ?? {}).flatMap(([name, value]): readonly Outcome[] => {
      const metric = metrics.find((known) => known.name === name);
      const [x, y] = typeof value === 'number' ? [value, 1] : value;
      const times = { issuedMs: exposure.atMs, receivedMs: exposure.atMs, expiresMs: exposure.atMs + DAY_MS };
      return metric === undefined ? [] : [{ ...exposure, ...times, metric, value: { x, y } }];
    }),
  );
  await store.recordOutcomes(outcomes);
  return experimentResults(experiment, await store.tallies(key, phase, metrics, nowMs), nowMs);
}

/** As many units of each variant, with what `of` says of the i-th. */
function both(count: number, of: (index: number, variant: string) => Omit<Unit, 'variant'>): readonly Unit[] {
  return ['v1', 'v2'].flatMap((variant) =>
    Array.from({ length: count }, (_, index) => ({ variant, ...of(index, variant) })),
  );
}

const CORRECT = 'metrics: [{ name: correct, kind: proportion, role: goal }]';

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

  test('a ratio whose sums were begun by an older release is left out, as nothing says how skewed it is', () => {
    const experiment = experimentWith('metrics: [{ name: per_view, kind: ratio, role: goal }]');
    const sums = { units: 500, sumX: 100, sumX2: 100, sumX3: 100, sumY: 1000, sumY2: 4000, sumXY: 300 };
    const older = { ...sums, sumY3: 0, sumX2Y: 0, sumXY2: 0, histogram: readHistogram([]) };
    const { key, phase } = experiment;
    const split = epochOf(experiment);
    const arm = {
      ...{ units: 500, requests: 500, unitsByDay: {}, unitsByKey: {}, models: {}, switched: 0 },
      ...{ unitlessRequests: 0, errors: 0, uncounted: {}, outputs: {}, metrics: { per_view: older } },
    };
    const epochs = [{ epoch: split.epoch, split, variants: { v1: arm, v2: arm } }];
    const results = experimentResults(experiment, { experiment: key, phase, epochs, untested: {} }, START_MS);
    expect(results.leftOut).toMatchObject([
      { metric: 'per_view', reason: expect.stringContaining('older release') as string },
    ]);
    expect(results.metrics).toEqual([]);
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

test('a goal that winsorising would make the same for all takes its part of the level all the same', async () => {
  const experiment = experimentWith(
    'metrics: [{ name: bought, kind: proportion, role: goal }, { name: revenue, kind: mean, role: goal, winsorize: 0.99 }]',
  );
  const alphas = async (buyers: number) => {
    const units = both(1000, (index) => ({
      outcomes: { bought: index < buyers ? 1 : 0, revenue: index < buyers ? 20 : 0 },
    }));
    const { metrics, leftOut } = await resultsOf(experiment, units);
    return [metrics.find(({ name }) => name === 'bought')?.alpha, leftOut.length];
  };
  expect(await alphas(3)).toEqual([0.025, 1]);
  expect(await alphas(30)).toEqual([0.025, 0]);
});

test('a metric that winsorising would make the same for all is left out, and its result says why', async () => {
  const experiment = experimentWith('metrics: [{ name: revenue, kind: mean, role: goal, winsorize: 0.99 }]');
  const paying = (share: number) =>
    both(1000, (index) => ({ outcomes: { revenue: index < 1000 * share ? 50 : 0 } }));
  const { metrics, leftOut } = await resultsOf(experiment, paying(0.008));
  expect(metrics).toEqual([]);
  expect(leftOut).toEqual([
    {
      metric: 'revenue',
      reason: expect.stringContaining('winsorize: 0.99 would cap every value at 0') as string,
    },
  ]);
  expect((await resultsOf(experiment, paying(0.02))).metrics).toMatchObject([{ name: 'revenue' }]);
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

test('a metric that can’t be analysed is named with its reason, and the others are analysed', async () => {
  const experiment = experimentWith(
    'metrics: [{ name: correct, kind: proportion, role: goal }, { name: delta, kind: quantile, quantile: 0.5 }]',
  );
  const units = both(100, (index) => ({ outcomes: { correct: 1, delta: index - 50 } }));
  const { metrics, leftOut } = await resultsOf(experiment, units);
  expect(metrics.map(({ name }) => name)).toEqual(['correct']);
  expect(leftOut).toEqual([
    { metric: 'delta', reason: 'it has values below zero, whose distribution is not analysed' },
  ]);
});

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

  test('there is nothing to tell before there are units', async () => {
    const results = await resultsOf(experimentWith(GUARDED), []);
    expect(results.thresholds).toMatchObject([
      { variant: 'v1', estimate: null, units: 0, outcome: 'no_data' },
      { variant: 'v2', estimate: null, units: 0, outcome: 'no_data' },
    ]);
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
