import { describe, expect, test } from 'vitest';
import { CostModel } from '../../../backends/batching/cost-model.ts';

/** Reproducible numbers from -1 to 1. */
function* noise(): Generator<number> {
  for (let index = 1; ; index++) yield Math.sin(index * 12.9898);
}

/** Has the model see runs of 1 to 32 rows that take `fixedMs + perRowMs · rows`, give or take `noiseMs`. */
function learn(
  cost: CostModel,
  runs: number,
  { fixedMs = 2, perRowMs = 0.5, noiseMs = 0, spikeEvery = Infinity, spikeMs = 0 } = {},
): void {
  const random = noise();
  for (let run = 1; run <= runs; run++) {
    const rows = 1 + ((run * 7) % 32);
    const spike = run % spikeEvery === 0 ? spikeMs : 0;
    cost.observe(rows, fixedMs + perRowMs * rows + noiseMs * (random.next().value ?? 0) + spike, run);
  }
}

describe('the cost of a run is learnt', () => {
  test('exactly where runs lie on a line', () => {
    const cost = new CostModel();
    learn(cost, 40);
    expect(cost.fixedMs).toBeCloseTo(2, 6);
    expect(cost.perRowMs).toBeCloseTo(0.5, 6);
    expect(cost.predictMs(16)).toBeCloseTo(10, 6);
    expect(cost.meanResidualMs).toBeLessThan(0.5);
  });

  test('within the noise', () => {
    const cost = new CostModel();
    learn(cost, 200, { noiseMs: 1 });
    expect(cost.predictMs(16)).toBeGreaterThan(9);
    expect(cost.predictMs(16)).toBeLessThan(11);
    expect(cost.meanResidualMs).toBeGreaterThan(0.3);
    expect(cost.meanResidualMs).toBeLessThan(1.2);
  });

  test('although one run in twenty takes ten times as long', () => {
    const cost = new CostModel();
    learn(cost, 200, { noiseMs: 0.2, spikeEvery: 20, spikeMs: 100 });
    expect(Math.abs((cost.predictMs(16) ?? 0) - 10)).toBeLessThan(1);
  });

  test('anew within a hundred runs when the model gets three times as slow', () => {
    const cost = new CostModel();
    learn(cost, 200, { noiseMs: 0.2 });
    learn(cost, 100, { fixedMs: 6, perRowMs: 1.5, noiseMs: 0.2 });
    expect(Math.abs((cost.predictMs(16) ?? 0) - 30)).toBeLessThan(6);
  });
});

test('nothing is predicted from fewer than four runs', () => {
  const cost = new CostModel();
  learn(cost, 3);
  expect([cost.isKnown, cost.predictMs(4)]).toEqual([false, undefined]);
  learn(cost, 1);
  expect(cost.isKnown).toBe(true);
});

test('while all runs have the same size, smaller ones are taken to cost as much and bigger ones in proportion', () => {
  const cost = new CostModel();
  for (let run = 0; run < 10; run++) cost.observe(4, 8, run);
  expect([1, 4, 8].map((rows) => cost.predictMs(rows))).toEqual([8, 8, 16]);
});

test('neither part of the cost is ever below nothing', () => {
  const falling = new CostModel();
  const steep = new CostModel();
  for (let run = 0; run < 40; run++) {
    const rows = 1 + (run % 8);
    falling.observe(rows, 10 - rows, run);
    steep.observe(rows, rows * rows, run);
  }
  expect(falling.perRowMs).toBe(0);
  expect(falling.fixedMs).toBeGreaterThan(3);
  expect(steep.fixedMs).toBe(0);
  expect(steep.perRowMs).toBeGreaterThan(3);
});

test('what was learnt is history a second after the last run', () => {
  const cost = new CostModel();
  cost.observe(1, 5, 1000);
  expect([cost.isFresh(1999), cost.isFresh(2000)]).toEqual([true, false]);
});
