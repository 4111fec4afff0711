import fc from 'fast-check';
import { expect, test } from 'vitest';
import { assign, hashUnit } from '../../experiments/assignment.ts';
import type { WeightedVariant } from '../../experiments/assignment.ts';

const UNITS = 5000;

/** Two to ten variants, in the order of their names. */
const variants: fc.Arbitrary<readonly WeightedVariant[]> = fc
  .array(fc.integer({ min: 1, max: 1000 }), { minLength: 2, maxLength: 10 })
  .map((weights) => weights.map((weight, index) => ({ name: `v${index}`, weight })));

const seed = fc.string({ minLength: 1, maxLength: 20 });

interface Move {
  readonly from: string | undefined;
  readonly to: string | undefined;
}

/** The units that another list of variants gives another variant. */
function moves(
  before: readonly WeightedVariant[],
  after: readonly WeightedVariant[],
  experiment: string,
): readonly Move[] {
  const all: Move[] = [];
  for (let unit = 0; unit < UNITS; unit++) {
    const hash = hashUnit(experiment, `user-${unit}`);
    const [from, to] = [assign(before, hash)?.name, assign(after, hash)?.name];
    if (from !== to) all.push({ from, to });
  }
  return all;
}

const total = (list: readonly WeightedVariant[]): number => list.reduce((sum, { weight }) => sum + weight, 0);

const reweigh = (list: readonly WeightedVariant[], changes: ReadonlyMap<number, number>) =>
  list.map((variant, index) => ({ ...variant, weight: changes.get(index) ?? variant.weight }));

/** Seven standard deviations, since these are new draws each time, and a little for counts so small that they are not normal. */
const slack = (share: number): number => 7 * Math.sqrt((share * (1 - share)) / UNITS) + 10 / UNITS;

test('where one weight of two to ten changes, exactly the share that must move moves, in one direction', () => {
  fc.assert(
    fc.property(
      variants,
      fc.nat(),
      fc.integer({ min: 0, max: 1000 }),
      seed,
      (before, pick, weight, experiment) => {
        const index = pick % before.length;
        const after = reweigh(before, new Map([[index, weight]]));
        const mustMove = Math.abs(
          (after[index]?.weight ?? 0) / total(after) - (before[index]?.weight ?? 0) / total(before),
        );
        const moved = moves(before, after, experiment);
        expect(Math.abs(moved.length / UNITS - mustMove)).toBeLessThanOrEqual(slack(mustMove));
        const grows = weight > (before[index]?.weight ?? 0);
        for (const { from, to } of moved) expect(grows ? to : from).toBe(before[index]?.name);
      },
    ),
    { numRuns: 40 },
  );
});

test('where two variants trade weight, the others between them, no more moves than the two changes by themselves move', () => {
  fc.assert(
    fc.property(
      variants,
      fc.nat(),
      fc.nat(),
      fc.double({ min: 0, max: 1, noNaN: true }),
      seed,
      (before, a, b, part, experiment) => {
        const gains = a % before.length;
        const loses = (gains + 1 + (b % (before.length - 1))) % before.length;
        const [gainer, loser] = [before[gains], before[loses]];
        if (gainer === undefined || loser === undefined) expect.fail('both are in the list');
        const traded = Math.round(part * (loser.weight - 1));
        const between = reweigh(before, new Map([[gains, gainer.weight + traded]]));
        const after = reweigh(between, new Map([[loses, loser.weight - traded]]));
        const [sum, larger] = [total(before), total(between)];
        const gained = (gainer.weight + traded) / larger - gainer.weight / sum;
        const lost = loser.weight / larger - (loser.weight - traded) / sum;
        const mustMove = traded / sum;
        const moved = moves(before, after, experiment);
        const share = moved.length / UNITS;
        expect(share).toBeGreaterThanOrEqual(mustMove - slack(mustMove));
        expect(share).toBeLessThanOrEqual(gained + lost + slack(gained + lost));
        // Two variants only: exactly what must move.
        if (before.length === 2) expect(share).toBeLessThanOrEqual(mustMove + slack(mustMove));
        for (const { from, to } of moved) expect(to === gainer.name || from === loser.name).toBe(true);
      },
    ),
    { numRuns: 40 },
  );
});

test('many small steps move together what one large step moves', () => {
  const step = (weight: number): readonly WeightedVariant[] => [
    { name: 'v1', weight: 100 - weight },
    { name: 'v2', weight },
  ];
  const steps = [1, 5, 10, 25, 50, 75, 100].map(step);
  const small = steps.slice(1).reduce((sum, after, index) => {
    const before = steps[index] ?? [];
    return sum + moves(before, after, 'rollout').length;
  }, 0);
  expect(small).toBe(moves(step(1), step(100), 'rollout').length);
});
