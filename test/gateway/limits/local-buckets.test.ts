import { describe, expect, test } from 'vitest';
import type { Bucket, Standing } from '../../../gateway/limits/bucket.ts';
import { LocalBuckets } from '../../../gateway/limits/local-buckets.ts';

const DAY_MS = 86_400_000;

function rateBucket(name: string): Bucket {
  return { period: 'rate', kind: 'key', name, whose: name, rate: { limit: 10, periodMs: 1000, burst: 5 } };
}

function dayBucket(name: string, limit: number): Bucket {
  return { period: 'day', kind: 'quota', name, whose: name, limit };
}

/** Buckets whose clocks the test sets. */
class Timed {
  ms = 0;
  epochMs = 10 * DAY_MS;
  readonly buckets: LocalBuckets;

  constructor(maxBuckets?: number) {
    this.buckets = new LocalBuckets({ nowMs: () => this.ms, epochMs: () => this.epochMs }, maxBuckets);
  }

  take(...args: Parameters<LocalBuckets['take']>): Standing {
    return this.buckets.take(...args) ?? expect.fail('there is a bucket');
  }
}

describe('a rate', () => {
  const ada = [rateBucket('ada')];

  test('lets a burst through at once and refuses the next, saying when it would pass', () => {
    const timed = new Timed();
    const standings = Array.from({ length: 6 }, () => timed.take(ada, 1));
    expect(standings.map(({ allowed }) => allowed)).toEqual([true, true, true, true, true, false]);
    expect(standings.map(({ remaining }) => remaining)).toEqual([4, 3, 2, 1, 0, 0]);
    expect(standings[5]).toMatchObject({ retryAfterMs: 100, resetMs: 500 });
  });

  test('lets a caller through who waits as long as it was told', () => {
    const timed = new Timed();
    timed.take(ada, 5);
    const { retryAfterMs } = timed.take(ada, 1);
    timed.ms = retryAfterMs - 1;
    expect(timed.take(ada, 1).allowed).toBe(false);
    timed.ms = retryAfterMs;
    expect(timed.take(ada, 1).allowed).toBe(true);
  });

  test('takes nothing for a refused request, nor for a look', () => {
    const timed = new Timed();
    for (let i = 0; i < 1000; i++) timed.take(ada, 1);
    for (let i = 0; i < 1000; i++) timed.buckets.look(ada, 1);
    timed.ms = 100;
    expect(timed.buckets.look(ada, 1)?.allowed).toBe(true);
    expect(timed.take(ada, 1).allowed).toBe(true);
  });

  test('is each caller’s own', () => {
    const timed = new Timed();
    for (let i = 0; i < 6; i++) timed.take(ada, 1);
    expect(timed.take([rateBucket('bob')], 1).allowed).toBe(true);
  });

  test('counts rows, and more rows than the burst never pass', () => {
    const timed = new Timed();
    expect(timed.take(ada, 5)).toMatchObject({ allowed: true, remaining: 0 });
    expect(timed.take([rateBucket('bob')], 6)).toMatchObject({ allowed: false, retryAfterMs: Infinity });
    expect(timed.take([rateBucket('bob')], 5).allowed).toBe(true);
  });
});

describe('a quota of the day', () => {
  test('is new at midnight, UTC, and says how long that is', () => {
    const timed = new Timed();
    const quota = [dayBucket('ada', 10)];
    timed.epochMs += DAY_MS - 5000;
    expect(timed.take(quota, 8)).toMatchObject({ allowed: true, remaining: 2, resetMs: 5000 });
    expect(timed.take(quota, 3)).toMatchObject({ allowed: false, retryAfterMs: 5000 });
    expect(timed.take(quota, 2)).toMatchObject({ allowed: true, remaining: 0 });
    timed.epochMs += 5000;
    expect(timed.take(quota, 10).allowed).toBe(true);
  });

  test('is not given twice by a clock that is put back', () => {
    const timed = new Timed();
    const quota = [dayBucket('ada', 10)];
    timed.take(quota, 10);
    timed.epochMs -= 3 * DAY_MS;
    expect(timed.take(quota, 1).allowed).toBe(false);
  });
});

test('several limits are taken from together or not at all, and the tightest is told', () => {
  const timed = new Timed();
  const both = [rateBucket('ada'), dayBucket('ada', 3)];
  expect(timed.take(both, 2)).toMatchObject({ allowed: true, remaining: 1, bucket: { period: 'day' } });
  expect(timed.take(both, 2)).toMatchObject({ allowed: false, bucket: { period: 'day' } });
  expect(timed.take([rateBucket('ada')], 3).allowed).toBe(true);
});

test('callers without number need bounded memory, and those above their limit are kept', () => {
  const timed = new Timed(1000);
  for (let i = 0; i < 5000; i++) {
    timed.ms = i * 1000;
    timed.take([rateBucket(`address ${i}`)], 1);
    timed.take([dayBucket(`address ${i}`, 1)], 1);
  }
  expect(timed.buckets.size).toBeLessThanOrEqual(2000);
  timed.take([rateBucket('ada')], 5);
  expect(timed.take([rateBucket('ada')], 1).allowed).toBe(false);
});
