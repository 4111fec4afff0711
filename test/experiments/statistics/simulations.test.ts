import { describe, expect, test } from 'vitest';
import { banditScenario } from '../../../bench/simulations/bandits.ts';
import { exactInterval } from '../../../bench/simulations/exact-binomial.ts';
import { meanScenarios } from '../../../bench/simulations/mean-scenarios.ts';
import { movedUnits } from '../../../bench/simulations/moved-units.ts';
import { powerScenario } from '../../../bench/simulations/powers.ts';
import { quantileScenario } from '../../../bench/simulations/quantiles.ts';
import { ratiosOfRareDenominators, ratiosOverEpochs } from '../../../bench/simulations/ratios.ts';
import { returningUnits } from '../../../bench/simulations/returning-units.ts';
import { mismatchFound, sampleRatioScenarios } from '../../../bench/simulations/sample-ratios.ts';
import type { Outcome, Scenario } from '../../../bench/simulations/scenario.ts';
import { outcomeText, simulate } from '../../../bench/simulations/scenario.ts';
import { verdictScenario } from '../../../bench/simulations/verdicts.ts';

// The long version of these is `npm run simulate`; its results stand in bench/results. Seeds are fixed, so the short version never fails by chance.

function expectToHold(scenario: Scenario, runs: number): readonly Outcome[] {
  const outcomes = simulate(scenario, runs);
  for (const outcome of outcomes)
    expect(outcome.holds, `${scenario.name}: ${outcomeText(outcome)}`).toBe(true);
  return outcomes;
}

function rateOf(outcomes: readonly Outcome[], event: string): number {
  const outcome = outcomes.find((candidate) => candidate.event === event) ?? expect.fail(`no ${event}`);
  return outcome.count / outcome.runs;
}

test('the exact interval is that of Clopper and Pearson', () => {
  // scipy.stats.binomtest(8, 200).proportion_ci(0.99, method='exact')
  const [low, high] = exactInterval(8, 200);
  expect(low).toBeCloseTo(0.013000391369537836, 10);
  expect(high).toBeCloseTo(0.09045461334943905, 10);
  expect(exactInterval(0, 100)).toEqual([0, expect.closeTo(1 - 0.005 ** (1 / 100), 10)]);
});

describe('over many experiments, the claims hold:', () => {
  test.each(meanScenarios(4000))('$name', (scenario) => {
    expectToHold(scenario, 60);
  });

  test('a unit is one observation, and requests taken for observations raise false alarms', () => {
    const outcomes = expectToHold(returningUnits(1500), 60);
    expect(rateOf(outcomes, 'each request is one: false alarm at some look')).toBeGreaterThan(0.3);
  });

  test('a unit that is moved keeps what it does in its window, and without that there are false winners', () => {
    const outcomes = expectToHold(movedUnits(9000), 12);
    expect(rateOf(outcomes, 'outcomes after the move left out: false alarm at the end')).toBeGreaterThan(0.5);
  });

  test('a bandit that moves the weights by what it sees', () => {
    const outcomes = expectToHold(banditScenario(6000, 0.05), 40);
    expect(rateOf(outcomes, 'the variant has 80 % of the weight or more at the end')).toBeGreaterThan(0.8);
    expectToHold(banditScenario(6000, 0), 40);
  });

  test.each([...ratiosOverEpochs(4000), ...ratiosOfRareDenominators(4000)])('$name', (scenario) => {
    expectToHold(scenario, 40);
  });

  test.each(sampleRatioScenarios(3000))('$name', (scenario) => {
    expectToHold(scenario, 400);
  });

  test('a sample ratio that is off is found', () => {
    expect(rateOf(simulate(mismatchFound(20_000, 0.5, 0.54), 40), 'found')).toBeGreaterThan(0.9);
  });

  test('a quantile of latency, one row of each batch', () => {
    expectToHold(quantileScenario(1000, 0.5, 0.5, 0), 40);
    expectToHold(quantileScenario(1000, 0.99, 0.1, 40), 20);
  });

  test('power is what was calculated', () => {
    expectToHold(powerScenario(0.5, 0.1, 0.15), 150);
  });

  test('verdicts', () => {
    expectToHold(verdictScenario(3000), 30);
  });
});

test('epochs that are pooled in place of compared raise an alarm in most experiments', () => {
  const changing = meanScenarios(4000).at(-1) ?? expect.fail('there are scenarios');
  expect(
    rateOf(simulate(changing, 20), 'epochs pooled: the sequence leaves out the true difference'),
  ).toBeGreaterThan(0.8);
});

describe('a ratio would raise false alarms', () => {
  const rateIn = (name: string, units: number, event: string): number => {
    const scenarios = [...ratiosOverEpochs(units), ...ratiosOfRareDenominators(units)];
    const scenario = scenarios.find((candidate) => candidate.name.includes(name));
    return rateOf(simulate(scenario ?? expect.fail(`no ${name}`), 20), event);
  };

  test('with one for each epoch', () => {
    const event = 'each epoch its own ratio, no burn-in: the same';
    expect(rateIn('in epochs of 50 units', 4000, event)).toBeGreaterThan(0.5);
  });

  test('before its denominators are known', () => {
    const event = 'without the burn-in: the sequence leaves out the truth';
    expect(rateIn('denominators of 1, or of 200', 8000, event)).toBeGreaterThan(0.1);
    expect(rateIn('clicks of impressions that 1 %', 8000, event)).toBeGreaterThan(0.3);
  });
});
