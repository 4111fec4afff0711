import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { take } from '../../../gateway/trust/gcra.ts';
import { RateLimiter } from '../../../gateway/trust/rate-limiter.ts';
import { parseRate } from '../../../gateway/trust/rate.ts';
import type { Rate } from '../../../gateway/trust/rate.ts';

const rate: Rate = { limit: 10, periodMs: 1000, burst: 5 };

/** A limiter whose clock the test sets. */
function limiterAt(of: Rate, maxBuckets?: number): { limiter: RateLimiter; at: (ms: number) => void } {
  let nowMs = 0;
  return {
    limiter: new RateLimiter(of, () => nowMs, maxBuckets),
    at: (ms) => {
      nowMs = ms;
    },
  };
}

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

describe('the limit', () => {
  test('lets a burst through at once and refuses the next, saying when it would pass', () => {
    const { limiter } = limiterAt(rate);
    const verdicts = Array.from({ length: 6 }, () => limiter.take('ada'));
    expect(verdicts.map(({ allowed }) => allowed)).toEqual([true, true, true, true, true, false]);
    expect(verdicts.map(({ remaining }) => remaining)).toEqual([4, 3, 2, 1, 0, 0]);
    expect(verdicts[5]).toMatchObject({ retryAfterMs: 100, resetMs: 500 });
  });

  test('a caller who waits as long as it was told is let through', () => {
    const { limiter, at } = limiterAt(rate);
    for (let i = 0; i < 5; i++) limiter.take('ada');
    const { retryAfterMs } = limiter.take('ada');
    at(retryAfterMs - 1);
    expect(limiter.take('ada').allowed).toBe(false);
    at(retryAfterMs);
    expect(limiter.take('ada').allowed).toBe(true);
  });

  test('a refused request costs nothing', () => {
    const { limiter, at } = limiterAt(rate);
    for (let i = 0; i < 1000; i++) limiter.take('ada');
    at(100);
    expect(limiter.take('ada').allowed).toBe(true);
  });

  test('one caller’s requests are not another’s', () => {
    const { limiter } = limiterAt(rate);
    for (let i = 0; i < 6; i++) limiter.take('ada');
    expect(limiter.take('bob').allowed).toBe(true);
  });

  test('a request of several rows counts for as many, and one above the burst never passes', () => {
    const { limiter } = limiterAt(rate);
    expect(limiter.take('ada', 5)).toMatchObject({ allowed: true, remaining: 0 });
    expect(limiter.take('bob', 6)).toMatchObject({ allowed: false, retryAfterMs: Infinity });
    expect(limiter.take('bob', 5).allowed).toBe(true);
  });

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

test('callers without number need bounded memory, and those above their limit are kept', () => {
  const { limiter, at } = limiterAt(rate, 1000);
  at(0);
  for (let i = 0; i < 5000; i++) {
    at(i * 1000);
    limiter.take(`address ${i}`);
  }
  expect(limiter.size).toBeLessThanOrEqual(1000);
  for (let i = 0; i < 6; i++) limiter.take('ada');
  expect(limiter.take('ada').allowed).toBe(false);
});
