import fc from 'fast-check';
import { expect, test } from 'vitest';
import { assign, hashCoverage, hashUnit, isCovered } from '../../experiments/assignment.ts';
import type { WeightedVariant } from '../../experiments/assignment.ts';
import vectors from '../vectors/assignment.json' with { type: 'json' };

const USERS = Array.from({ length: 20_000 }, (_, index) => `user-${index}`);

function variantsOf(weights: Readonly<Record<string, number>>): readonly WeightedVariant[] {
  const variants = Object.entries(weights).map(([name, weight]) => ({ name, weight }));
  return inNameOrder(variants);
}

function inNameOrder(variants: readonly WeightedVariant[]): readonly WeightedVariant[] {
  return variants.toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

function winner(variants: readonly WeightedVariant[], seed: string, unit: string): string | undefined {
  return assign(variants, hashUnit(seed, unit))?.name;
}

/** Expects a count of independent events of probability `share` within three standard deviations of its mean. */
function expectShare(count: number, outOf: number, share: number): void {
  const deviations = (count - outOf * share) / Math.sqrt(outOf * share * (1 - share));
  expect(Math.abs(deviations), `${count} of ${outOf}, expected ${share * 100} %`).toBeLessThan(3);
}

/** Pearson's correlation of two yes-or-no variables. */
function correlation(pairs: readonly (readonly [boolean, boolean])[]): number {
  const share = (is: (pair: readonly [boolean, boolean]) => boolean): number =>
    pairs.filter(is).length / pairs.length;
  const [a, b, both] = [share(([x]) => x), share(([, y]) => y), share(([x, y]) => x && y)];
  return (both - a * b) / Math.sqrt(a * (1 - a) * b * (1 - b));
}

test('every frozen vector has its hash and its winner', () => {
  expect(vectors.assignment.length).toBeGreaterThanOrEqual(200);
  for (const { seed, unit, variants, hash, winner: expected } of vectors.assignment) {
    expect(hashUnit(seed, unit), `${seed}:${unit}`).toBe(hash);
    expect(winner(inNameOrder(variants), seed, unit), `${seed}:${unit}`).toBe(expected);
  }
});

test('a variant that draws the least or the greatest number there is scores as the contract says', () => {
  for (const { hash, variants, winner: expected } of vectors.extremes) {
    expect(assign(variants, hash)?.name).toBe(expected);
  }
});

test('every frozen vector of coverage has its hash and is enrolled or not', () => {
  for (const { seed, unit, coverage, hash, covered } of vectors.coverage) {
    expect(hashCoverage(seed, unit), `${seed}:${unit}`).toBe(hash);
    expect(isCovered(seed, unit, coverage), `${seed}:${unit} under ${coverage}`).toBe(covered);
  }
});

test('a tie goes to the first by name', () => {
  const ties = vectors.assignment.filter(({ seed }) => seed.startsWith('tie-'));
  const [first] = ties;
  expect(new Set(ties.map(({ winner: name }) => name))).toEqual(
    new Set([first?.variants.map(({ name }) => name).sort()[0]]),
  );
});

test('20,000 users split 90/10', () => {
  const variants = variantsOf({ v1: 90, v2: 10 });
  const second = USERS.filter((user) => winner(variants, 'digits-cnn', user) === 'v2');
  expectShare(second.length, USERS.length, 0.1);
});

test('uneven weights of five variants are each kept', () => {
  const weights = { a: 1, b: 2, c: 3, d: 4, e: 90 };
  const winners = USERS.map((user) => winner(variantsOf(weights), 'five', user));
  for (const [name, weight] of Object.entries(weights)) {
    expectShare(winners.filter((found) => found === name).length, USERS.length, weight / 100);
  }
});

test('going from 90/10 to 80/20 moves a tenth of the users, and none of them from v2 to v1', () => {
  const [before, after] = [variantsOf({ v1: 90, v2: 10 }), variantsOf({ v1: 80, v2: 20 })];
  const moves = USERS.map((user) => [winner(before, 'digits-cnn', user), winner(after, 'digits-cnn', user)]);
  const moved = moves.filter(([from, to]) => from !== to);
  expectShare(moved.length, USERS.length, 0.1);
  expect(new Set(moved.map(([from, to]) => `${from} to ${to}`))).toEqual(new Set(['v1 to v2']));
});

test('where one of three weights grows, just the share that must move moves', () => {
  const [before, after] = [variantsOf({ a: 50, b: 40, c: 10 }), variantsOf({ a: 50, b: 40, c: 30 })];
  const moved = USERS.filter((user) => winner(before, 'three', user) !== winner(after, 'three', user));
  expectShare(moved.length, USERS.length, 30 / 120 - 10 / 100);
});

const name = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,20}$/);
const weight = fc.oneof(fc.nat({ max: 3 }), fc.nat({ max: 1000 }), fc.nat({ max: 1_000_000 }));
const variantList = fc.uniqueArray(fc.record({ name, weight }), {
  minLength: 2,
  maxLength: 10,
  selector: (variant) => variant.name,
});
const units = fc.array(fc.string({ unit: 'grapheme' }), { minLength: 50, maxLength: 100 });

test('changing one weight moves units into that variant or out of it: up only into, down only out of', () => {
  fc.assert(
    fc.property(variantList, fc.nat(), weight, fc.string(), units, (list, pick, changedWeight, seed, all) => {
      const changed = list[pick % list.length] ?? expect.fail('the list has at least two variants');
      const before = inNameOrder(list);
      const after = before.map((variant) =>
        variant === changed ? { ...variant, weight: changedWeight } : variant,
      );
      for (const unit of all) {
        const [from, to] = [winner(before, seed, unit), winner(after, seed, unit)];
        if (from !== to) expect(changedWeight > changed.weight ? to : from).toBe(changed.name);
      }
    }),
  );
});

test('a variant that is added takes units from the others, and moves none between them', () => {
  fc.assert(
    fc.property(variantList, fc.string(), units, (list, seed, all) => {
      const [added = expect.fail('the list has at least two variants'), ...others] = list;
      for (const unit of all) {
        const [from, to] = [
          winner(inNameOrder(others), seed, unit),
          winner(inNameOrder([added, ...others]), seed, unit),
        ];
        expect([from, added.name]).toContain(to);
      }
    }),
  );
});

test('weights that grow in proportion move nobody', () => {
  const [before, after] = [variantsOf({ a: 1, b: 2, c: 7 }), variantsOf({ a: 10, b: 20, c: 70 })];
  for (const user of USERS) expect(winner(after, 'three', user)).toBe(winner(before, 'three', user));
});

test('the same unit always gets the same variant', () => {
  fc.assert(
    fc.property(variantList, fc.string(), units, (list, seed, all) => {
      const once = all.map((unit) => winner(inNameOrder(list), seed, unit));
      const again = all.map((unit) => winner(inNameOrder(structuredClone(list)), seed, unit));
      expect(again).toEqual(once);
    }),
  );
});

test('a variant of weight 0 never wins', () => {
  fc.assert(
    fc.property(variantList, fc.string(), units, (list, seed, all) => {
      for (const unit of all) {
        expect(assign(inNameOrder(list), hashUnit(seed, unit))?.weight).not.toBe(0);
      }
    }),
  );
  expect(assign(variantsOf({ a: 0, b: 0 }), hashUnit('seed', 'user-1'))).toBeUndefined();
});

test('the splits of two experiments have nothing to do with each other', () => {
  const variants = variantsOf({ v1: 50, v2: 50 });
  const pairs = Array.from({ length: 200_000 }, (_, index) => {
    const unit = `user-${index}`;
    return [winner(variants, 'first', unit) === 'v2', winner(variants, 'second', unit) === 'v2'] as const;
  });
  expect(Math.abs(correlation(pairs))).toBeLessThan(0.01);
});

test('coverage enrols its share of the users', () => {
  for (const coverage of [0.05, 0.3, 0.5, 0.99]) {
    const enrolled = USERS.filter((user) => isCovered('digits-cnn', user, coverage));
    expectShare(enrolled.length, USERS.length, coverage);
  }
});

test('coverage 0 enrols nobody, coverage 1 everybody', () => {
  expect(USERS.some((user) => isCovered('digits-cnn', user, 0))).toBe(false);
  expect(USERS.every((user) => isCovered('digits-cnn', user, 1))).toBe(true);
});

test('a growing coverage keeps whom it had', () => {
  const few = USERS.filter((user) => isCovered('digits-cnn', user, 0.2));
  expect(few.every((user) => isCovered('digits-cnn', user, 0.3))).toBe(true);
});

test('who is enrolled says nothing about who gets which variant', () => {
  const variants = variantsOf({ v1: 90, v2: 10 });
  const enrolled = USERS.filter((user) => isCovered('digits-cnn', user, 0.3));
  expectShare(
    enrolled.filter((user) => winner(variants, 'digits-cnn', user) === 'v2').length,
    enrolled.length,
    0.1,
  );
  const pairs = Array.from({ length: 200_000 }, (_, index) => {
    const unit = `user-${index}`;
    return [isCovered('digits-cnn', unit, 0.5), winner(variants, 'digits-cnn', unit) === 'v2'] as const;
  });
  expect(Math.abs(correlation(pairs))).toBeLessThan(0.01);
});
