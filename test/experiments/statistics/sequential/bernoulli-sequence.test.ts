import { expect, test } from 'vitest';
import { seededRandom } from '../../../../bench/simulations/random.ts';
import { bernoulliSequence } from '../../../../experiments/statistics/sequential/bernoulli-sequence.ts';

test('nothing is known before the first trial, and all or none succeed without a rate of their own', () => {
  expect(bernoulliSequence(0, 0, 0.05)).toEqual([0, 1]);
  const [low, high] = bernoulliSequence(100, 100, 0.05);
  // Where all succeeded the evidence against p is 1 / (101 p^100).
  expect(low).toBeCloseTo((0.05 / 101) ** (1 / 100), 10);
  expect(high).toBe(1);
  expect(bernoulliSequence(0, 100, 0.05)).toEqual([0, expect.closeTo(1 - low, 10)]);
});

test('its ends are where the evidence is 1 / alpha', () => {
  const [low, high] = bernoulliSequence(30, 100, 0.05);
  // From the exact beta function: 30! 70! / 101! = 3.3746e-28 / 101 by the binomial coefficient of 100 over 30.
  const marginal = 1 / (101 * 2.937_233_982_161_7e25);
  for (const p of [low, high]) expect(marginal / (p ** 30 * (1 - p) ** 70)).toBeCloseTo(20, 4);
  expect(low).toBeLessThan(0.3);
  expect(high).toBeGreaterThan(0.3);
});

test.each([1e6, 3e7, 1e9])(
  'one failure in %d, and one success, have ends that mirror each other',
  (trials) => {
    const [low, high] = bernoulliSequence(trials - 1, trials, 0.05);
    const [mirroredLow, mirroredHigh] = bernoulliSequence(1, trials, 0.05);
    expect(low).toBe(1 - mirroredHigh);
    expect(high).toBe(1 - mirroredLow);
    expect(low).toBeLessThan(1 - 1 / trials);
    expect(high).toBeGreaterThanOrEqual(1 - 1 / trials);
  },
);

test.each([0.5, 0.02, 0.99])(
  'looked at after every trial it leaves out a probability of %f seldom enough',
  (p) => {
    const random = seededRandom(1000 * p);
    const runs = 400;
    let misses = 0;
    for (let run = 0; run < runs; run++) {
      let successes = 0;
      for (let trials = 1; trials <= 300; trials++) {
        if (random() < p) successes += 1;
        const [low, high] = bernoulliSequence(successes, trials, 0.05);
        if (p < low || p > high) {
          misses += 1;
          break;
        }
      }
    }
    // 400 runs at 5 % have at most 31 misses with 99 % probability.
    expect(misses).toBeLessThanOrEqual(31);
  },
);
