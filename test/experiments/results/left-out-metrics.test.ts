/** Metrics that are left out of an analysis, and what the results say of them. */
import { expect, test } from 'vitest';
import { epochOf } from '../../../experiments/epoch.ts';
import { experimentResults } from '../../../experiments/results/experiment-results.ts';
import { readHistogram } from '../../../experiments/stores/histogram.ts';
import { START_MS, both, experimentWith, resultsOf } from './analysed-units.ts';

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
