import { expect, test } from 'vitest';
import { assign, hashShare, hashUnit } from '../../experiments/assignment.ts';
import type { WeightedVariant } from '../../experiments/assignment.ts';

const UNITS = Array.from({ length: 200_000 }, (_, index) => `user-${index}`);

const EVEN: readonly WeightedVariant[] = [
  { name: 'v1', weight: 50 },
  { name: 'v2', weight: 50 },
];
const CANARY: readonly WeightedVariant[] = [
  { name: 'v1', weight: 90 },
  { name: 'v2', weight: 10 },
];
const THREE: readonly WeightedVariant[] = [
  { name: 'a', weight: 1 },
  { name: 'b', weight: 1 },
  { name: 'v2', weight: 1 },
];

const inV2 = (variants: readonly WeightedVariant[], seed: string): Uint8Array =>
  Uint8Array.from(UNITS, (unit) => Number(assign(variants, hashUnit(seed, unit))?.name === 'v2'));

const below = (share: number, seed: string): Uint8Array =>
  Uint8Array.from(UNITS, (unit) => Number(hashShare(seed, unit) < share));

/** Everything that divides units, for experiments whose seeds are as alike as people make them. */
const DIVISIONS: readonly (readonly [name: string, division: Uint8Array])[] = [
  ['the split of digits', inV2(EVEN, 'digits')],
  ['the split of digits-2', inV2(EVEN, 'digits-2')],
  ['the split of digits-3, at 90/10', inV2(CANARY, 'digits-3')],
  ['the split of 2-digits, in three', inV2(THREE, '2-digits')],
  ['the split of a', inV2(EVEN, 'a')],
  ['the split of b', inV2(EVEN, 'b')],
  ['the coverage of digits', below(0.5, 'digits:coverage')],
  ['the holdout of digits', below(0.1, 'digits:holdout')],
  ["the gateway's holdout", below(0.05, 'holdout')],
  ['a namespace', below(0.5, 'namespace:ranking')],
  ['a percentage of a header', below(0.25, 'percentage:header x-user-id')],
];

/** Pearson's correlation of two yes-or-no variables. */
function correlation(first: Uint8Array, second: Uint8Array): number {
  let [a, b, both] = [0, 0, 0];
  for (const [index, value] of first.entries()) {
    const other = second[index] ?? 0;
    a += value;
    b += other;
    both += value * other;
  }
  const n = first.length;
  return (both / n - (a * b) / n ** 2) / Math.sqrt((a / n) * (1 - a / n) * (b / n) * (1 - b / n));
}

test('a division correlates with itself, so that the measure can tell', () => {
  const [[, first] = expect.fail('there are some')] = DIVISIONS;
  expect(correlation(first, first)).toBeCloseTo(1, 10);
});

test.each(DIVISIONS)('of 200,000 units %s says nothing of any other division', (name, division) => {
  for (const [other, second] of DIVISIONS) {
    if (other === name) continue;
    expect(Math.abs(correlation(division, second)), other).toBeLessThan(0.01);
  }
});
