import { describe, expect, test } from 'vitest';
import { emptyHistory, extended, isDue, MAX_POINTS } from '../../../gateway/results/interval-history.ts';
import type { HistoryPoint, IntervalHistory } from '../../../gateway/results/interval-history.ts';

function point(atMs: number, units: number, share = 0.1): HistoryPoint {
  return {
    atMs,
    verdict: 'keep running',
    sampleRatioP: 1,
    variants: { v1: { share: 1 - share, units, requests: units }, v2: { share, units: 1, requests: 1 } },
    intervals: { 'correct/v2': [0.01, -0.1, 0.2] },
  };
}

const SHARES = [
  { variant: 'v1', share: 0.9 },
  { variant: 'v2', share: 0.1 },
];

/** A point every five seconds, each with more units than the one before. */
function grown(count: number): IntervalHistory {
  let history = emptyHistory(1);
  for (let index = 1; index <= count; index++) {
    const next = point(index * 5000, index);
    if (isDue(history, { atMs: next.atMs, variants: SHARES })) history = extended(history, next);
  }
  return history;
}

describe('a history', () => {
  test('never has more than its points, and they are evenly apart over all of its time', () => {
    const { points, everyMs } = grown(5000);
    expect(points.length).toBeLessThanOrEqual(MAX_POINTS);
    expect(points.length).toBeGreaterThan(MAX_POINTS / 2 - 2);
    expect(points[0]?.atMs).toBe(5000);
    expect(points.at(-1)?.atMs).toBeGreaterThan(5000 * 5000 - 2 * everyMs);
    const gaps = new Set(points.slice(1, -2).map(({ atMs }, index) => atMs - (points[index]?.atMs ?? 0)));
    expect([...gaps]).toEqual([everyMs]);
  });

  test('a point like the last one adds nothing', () => {
    const history = grown(3);
    expect(extended(history, { ...point(60_000, 3), atMs: 60_000 })).toBe(history);
  });

  test('a change after a long time of none is drawn as a step, not as a slope', () => {
    const history = extended(grown(3), point(3_600_000, 4));
    expect(history.points.map(({ atMs, variants }) => [atMs, variants.v1?.units])).toEqual([
      [5000, 1],
      [10_000, 2],
      [15_000, 3],
      [3_595_000, 3],
      [3_600_000, 4],
    ]);
  });

  test('another planned share is due at once', () => {
    const history = grown(3);
    expect(isDue(history, { atMs: 15_001, variants: SHARES })).toBe(false);
    const moved = [
      { variant: 'v1', share: 0.5 },
      { variant: 'v2', share: 0.5 },
    ];
    expect(isDue(history, { atMs: 15_001, variants: moved })).toBe(true);
  });
});
