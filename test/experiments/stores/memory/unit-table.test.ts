import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { UnitState } from '../../../../experiments/stores/ledger.ts';
import { keyText } from '../../../../experiments/stores/memory/key-index.ts';
import { UnitTable } from '../../../../experiments/stores/memory/unit-table.ts';

const half = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const key = fc.tuple(half, half).map(([high, low]) => keyText(high, low));
const number = fc.double({ noNaN: true, noDefaultInfinity: true });
const value = fc.tuple(number, number, fc.constantFrom(0 as const, 1 as const));
const names = fc.constantFrom('correct', 'revenue', 'constructor');

const state: fc.Arbitrary<UnitState> = fc
  .record({
    v: fc.constantFrom('v1', 'v2', 'with space'),
    e: fc.constantFrom(0, 7, 2 ** 32 - 1),
    u: key,
    t: fc.integer({ min: 0, max: 2 ** 45 }),
    isExposed: fc.boolean(),
    isSwitched: fc.boolean(),
    m: fc.dictionary(names, value),
  })
  .map(({ isExposed, isSwitched, m, ...rest }) => ({
    ...rest,
    ...(isExposed && { x: 1 as const }),
    ...(isSwitched && { s: 1 as const }),
    ...(Object.keys(m).length > 0 && { m: Object.fromEntries(Object.entries(m)) }),
  }));

test('a unit is read as it was written last, whatever the others are', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(key, state), { maxLength: 200 }), (writes) => {
      const table = new UnitTable();
      const model = new Map<string, UnitState>();
      for (const [unit, next] of writes) {
        // A metric's value is never taken away again.
        const before = model.get(unit);
        const merged = { ...next, ...(before?.m !== undefined && { m: { ...before.m, ...next.m } }) };
        model.set(unit, merged);
        const row = table.set(unit, merged);
        expect(table.unitAt(row)).toBe(unit);
      }
      expect(table.size).toBe(model.size);
      for (const [unit, kept] of model) {
        expect(table.at(table.rowOf(unit))).toEqual(kept);
        expect(table.timeMsAt(table.rowOf(unit))).toBe(kept.t);
      }
    }),
    { numRuns: 60 },
  );
});

test('a unit that has not come has no row', () => {
  const table = new UnitTable();
  expect(table.rowOf(keyText(0, 0))).toBe(-1);
  expect(table.at(-1)).toBeUndefined();
  expect(table.at(0)).toBeUndefined();
});
