import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { take } from '../../../gateway/limits/gcra.ts';
import { parseRate } from '../../../gateway/limits/rate.ts';
import type { Rate } from '../../../gateway/limits/rate.ts';

describe('a rate', () => {
  test.each([
    ['100/s', { limit: 100, periodMs: 1000, burst: 100 }],
    ['90/m', { limit: 90, periodMs: 60_000, burst: 2 }],
    ['1/d', { limit: 1, periodMs: 86_400_000, burst: 1 }],
    ['100/s burst 250', { limit: 100, periodMs: 1000, burst: 250 }],
  ])('%s is read', (text, expected) => {
    expect(parseRate(text)).toEqual(expected);
  });

  test.each(['', '0/s', '-1/s', '1.5/s', '100', '100/w', '100 / s', '100/s burst 0', '1/sx'])(
    '%j is none',
    (text) => {
      expect(parseRate(text)).toBeUndefined();
    },
  );
});

describe('the algorithm', () => {
  test('in any window no more pass than the rate and one burst, and a steady caller at the rate always passes', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 1000 }),
        fc.integer({ min: 1, max: 50 }),
        fc.array(fc.integer({ min: 0, max: 50 }), { maxLength: 300 }),
        (limit, burst, gaps) => {
          const of: Rate = { limit, periodMs: 1000, burst };
          let nowMs = 0;
          let bucket: number | undefined;
          const passed: number[] = [];
          for (const gap of gaps) {
            nowMs += gap;
            const { verdict, emptyAtMs } = take(of, bucket, nowMs, 1);
            bucket = emptyAtMs;
            if (verdict.allowed) passed.push(nowMs);
          }
          passed.forEach((from, first) => {
            passed.slice(first).forEach((to, count) => {
              expect(count + 1).toBeLessThanOrEqual(burst + ((to - from) * limit) / 1000 + 0.01);
            });
          });
        },
      ),
      { numRuns: 50 },
    );
    let bucket: number | undefined;
    for (let i = 0; i < 10_000; i++) {
      const { verdict, emptyAtMs } = take({ limit: 3, periodMs: 1000, burst: 1 }, bucket, (i * 1000) / 3, 1);
      bucket = emptyAtMs;
      expect(verdict.allowed).toBe(true);
    }
  });
});
