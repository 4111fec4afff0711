import fc from 'fast-check';
import { expect, test } from 'vitest';
import { threadBudget } from '../../../backends/scheduling/thread-budget.ts';

test('instances times threads are no more than the cores, unless there are more instances than cores', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 64 }),
      fc.integer({ min: 1, max: 64 }),
      fc.integer({ min: 1, max: 64 }),
      (cores, instances, shared) => {
        const { threads, permits } = threadBudget(cores, instances, shared, undefined);
        expect(threads).toBeGreaterThanOrEqual(1);
        expect(permits).toBe(threads);
        expect(threads * Math.min(instances, cores)).toBeLessThanOrEqual(cores);
      },
    ),
  );
});

test('a number that is asked for is given, and all instances may run at once', () => {
  expect(threadBudget(4, 2, 1, 4)).toEqual({ threads: 4, permits: 2 });
  expect(threadBudget(8, 2, 1, 3)).toEqual({ threads: 3, permits: 3 });
});

test('versions that share the cores have a part of them', () => {
  expect(threadBudget(8, 1, 4, undefined)).toEqual({ threads: 4, permits: 4 });
  expect(threadBudget(8, 4, 4, undefined)).toEqual({ threads: 2, permits: 2 });
});
