import { describe, expect, test } from 'vitest';
import { compareShareWith } from '../../../../experiments/statistics/sequential/one-sample.ts';

const TUNING = { plannedTime: 5000, alpha: 0.05 };

/** The exact probability that a share which is `value` is said to be another at some look, of one after every unit. */
function falseAlarms(value: number, units: number): number {
  let stillOpen = new Map([[0, 1]]);
  for (let n = 1; n <= units; n += 1) {
    const next = new Map<number, number>();
    for (const [successes, chance] of stillOpen) {
      for (const [more, weight] of [
        [0, 1 - value],
        [1, value],
      ] as const) {
        const reached = successes + more;
        next.set(reached, (next.get(reached) ?? 0) + weight * chance);
      }
    }
    stillOpen = new Map(
      [...next].filter(
        ([successes, chance]) =>
          chance > 1e-12 && compareShareWith(n, successes, value, TUNING).p >= TUNING.alpha,
      ),
    );
  }
  return 1 - [...stillOpen.values()].reduce((sum, chance) => sum + chance, 0);
}

describe('a share held against a fixed value', () => {
  test.each([0.002, 0.02, 0.98])('that is %f is seldom said to be another, of all looks', (value) => {
    expect(falseAlarms(value, 3000)).toBeLessThan(0.05);
  });

  test('of which nobody did so far is not taken for less, as long as that is likely enough', () => {
    // With probability 0.082, of a share of one in a thousand.
    expect(compareShareWith(2500, 0, 0.001, TUNING).p).toBeGreaterThan(0.05);
    expect(compareShareWith(8000, 0, 0.001, TUNING).p).toBeLessThan(0.05);
  });

  test('that is never or always cannot be anything else', () => {
    expect(compareShareWith(10, 0, 0, TUNING)).toEqual({ estimate: 0, p: 1 });
    expect(compareShareWith(10, 1, 0, TUNING)).toEqual({ estimate: 0.1, p: 0 });
    expect(compareShareWith(10, 9, 1, TUNING)).toEqual({ estimate: 0.9, p: 0 });
  });
});
