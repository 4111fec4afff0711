import { expect, test } from 'vitest';
import { MemoryStickyAssignments } from '../../experiments/sticky-assignments.ts';

test('a unit is known by its experiment, its phase and its hash', () => {
  const sticky = new MemoryStickyAssignments(() => expect.fail('nothing has to go'));
  sticky.put('a', 1, 7, 'v2');
  expect(sticky.get('a', 1, 7)).toBe('v2');
  expect([sticky.get('b', 1, 7), sticky.get('a', 2, 7), sticky.get('a', 1, 8)]).toEqual([
    undefined,
    undefined,
    undefined,
  ]);
  sticky.put('a', 1, 7, 'v1');
  expect(sticky.get('a', 1, 7)).toBe('v1');
});

test('where they are too many, the oldest of the largest experiment goes, and it is told', () => {
  let evicted = 0;
  const sticky = new MemoryStickyAssignments(() => (evicted += 1), 4);
  sticky.put('small', 1, 0, 'v1');
  for (const unit of [1, 2, 3, 4, 5]) sticky.put('large', 1, unit, 'v1');
  expect(evicted).toBe(2);
  expect([1, 2, 3, 4, 5].map((unit) => sticky.get('large', 1, unit))).toEqual([
    undefined,
    undefined,
    'v1',
    'v1',
    'v1',
  ]);
  expect(sticky.get('small', 1, 0)).toBe('v1');
});

test('phases that are over make room', () => {
  let evicted = 0;
  const sticky = new MemoryStickyAssignments(() => (evicted += 1), 2);
  sticky.put('a', 1, 1, 'v1');
  sticky.put('b', 1, 1, 'v1');
  sticky.retain([
    { experiment: 'a', phase: 2, variants: ['v1', 'v2'] },
    { experiment: 'b', phase: 1, variants: ['v1', 'v2'] },
  ]);
  sticky.put('a', 2, 1, 'v2');
  expect(evicted).toBe(0);
  expect([sticky.get('a', 1, 1), sticky.get('b', 1, 1), sticky.get('a', 2, 1)]).toEqual([
    undefined,
    'v1',
    'v2',
  ]);
});

test('units of a variant that keeps nobody are forgotten, and make room', () => {
  const sticky = new MemoryStickyAssignments(() => expect.fail('nothing has to go'), 2);
  sticky.put('a', 1, 1, 'v1');
  sticky.put('a', 1, 2, 'v2');
  sticky.retain([{ experiment: 'a', phase: 1, variants: ['v2'] }]);
  expect([sticky.get('a', 1, 1), sticky.get('a', 1, 2)]).toEqual([undefined, 'v2']);
  sticky.put('a', 1, 3, 'v2');
});
