import { expect, test } from 'vitest';
import { analyse } from '../../../../experiments/statistics/analysis/analyse.ts';
import type { MetricPlan } from '../../../../experiments/statistics/analysis/input.ts';
import type { MetricResult } from '../../../../experiments/statistics/analysis/results.ts';
import { logBeta } from '../../../../experiments/statistics/special/beta.ts';
import type { MetricState } from '../../../../experiments/statistics/states/metric-state.ts';
import { ACCEPTED, arm, inputOf, metricOf } from './sample-input.ts';

const UNITS = 5000;

/** So many units in each arm, and so many of them that did. */
function compared(control: number, variant: number, plan: MetricPlan = ACCEPTED): MetricResult {
  const stateOf = (events: number): MetricState => {
    if (plan.type === 'proportion') return { kind: 'proportion', units: UNITS, successes: events };
    const rate = events / UNITS;
    const m2 = UNITS * rate * (1 - rate);
    return { kind: 'mean', moments: { n: UNITS, mean: rate, m2, m3: m2 * (1 - 2 * rate) } };
  };
  const armOf = (events: number) => arm(UNITS, { [plan.name]: stateOf(events) });
  const epoch = { weights: { v1: 1, v2: 1 }, variants: { v1: armOf(control), v2: armOf(variant) } };
  return metricOf(analyse(inputOf([epoch], { metrics: [plan] })), plan.name);
}

/** The exact probability that so many of the units do. */
function chanceOf(events: number, rate: number): number {
  const ways = -logBeta(events + 1, UNITS - events + 1) - Math.log(UNITS + 1);
  return Math.exp(ways + events * Math.log(rate) + (UNITS - events) * Math.log1p(-rate));
}

/** How probable it is that an interval leaves out the truth, over all that the variant may come to. */
function missed(rate: number, isLeftOut: (events: number) => boolean): number {
  return Array.from({ length: 40 }, (_, events) => (isLeftOut(events) ? chanceOf(events, rate) : 0)).reduce(
    (sum, chance) => sum + chance,
    0,
  );
}

const leavesOut = (interval: readonly [number | null, number | null] | null | undefined, truth: number) =>
  interval !== null &&
  interval !== undefined &&
  (truth < (interval[0] ?? -Infinity) || truth > (interval[1] ?? Infinity));

test.each([0.00045, 0.00085, 0.0012])(
  'a variant that nearly nobody takes, at a rate of %f, has the truth in its interval of the lift',
  (rate) => {
    const lift = rate / 0.05 - 1;
    expect(missed(rate, (events) => leavesOut(compared(250, events).anytime.interval, lift))).toBeLessThan(
      0.05,
    );
  },
);

test('of a mean, a variant without any event is not known to be without for sure', () => {
  const { anytime, difference, outcome } = compared(250, 0, { ...ACCEPTED, type: 'mean' });
  expect(anytime.interval).toBeNull();
  expect(difference?.anytime?.[1]).toBeLessThan(0);
  expect(outcome).toBe('worse');
});

test('a variant that lacks what all had is worse for sure, though its lift is not known', () => {
  const plan: MetricPlan = { ...ACCEPTED, role: 'guardrail', margin: 0.1 };
  expect(compared(UNITS, 1, plan)).toMatchObject({ outcome: 'worse', anytime: { interval: null } });
});
