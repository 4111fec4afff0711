import { expect, test } from 'vitest';
import type { Comparison } from '../../../experiments/mirror/compare-answers.ts';
import { MirrorSums } from '../../../experiments/mirror/mirror-sums.ts';
import { readMirrorTallies } from '../../../experiments/mirror/mirror-tally.ts';
import { mirrorResults } from '../../../experiments/results/mirror-results.ts';

const PAIR = { variant: 'v1', mirror: 'v2' };
const SCOPE = { experiment: 'digits-cnn', phase: 1 };
const FIRST = { isFirstOfUnit: true, computeMs: { variant: 2, mirror: 4 } };

function comparison(answered: string, mirrored: string, largest = 0): Comparison {
  const labels = [{ answered, mirrored }];
  return {
    isOtherShape: false,
    nonFinite: { answered: false, mirrored: false },
    labels,
    categories: labels,
    difference: { elements: 10, sum: largest, largest },
    cosines: [1 - largest / 10],
  };
}

const resultOf = (sums: MirrorSums) => {
  const { sums: added, maxima } = sums.take();
  return mirrorResults(readMirrorTallies([...added, ...maxima]))[0] ?? expect.fail('no pair');
};

test('comparisons add up to a result for each pair', () => {
  const sums = new MirrorSums(SCOPE);
  for (let index = 0; index < 98; index++) sums.add(PAIR, comparison('4', '4'), FIRST);
  sums.add(PAIR, comparison('4', '9', 2), FIRST);
  sums.add(PAIR, comparison('4', '9', 1), { ...FIRST, isFirstOfUnit: false });
  sums.addUncompared(PAIR, 'dropped', 'busy');
  sums.addUncompared(PAIR, 'failed', 'run_failed');
  expect(resultOf(sums)).toEqual({
    ...PAIR,
    compared: 100,
    dropped: { busy: 1 },
    failed: { run_failed: 1 },
    agreement: {
      rows: 100,
      same: 98,
      share: 0.98,
      units: 99,
      unitShare: 98 / 99,
      interval: [expect.closeTo(0.904, 3), expect.closeTo(1, 3)],
    },
    flips: [{ from: '4', to: '9', rows: 2 }],
    otherFlips: 0,
    difference: { mean: 0.003, largest: 2, p50: 0, p99: expect.closeTo(1, 2) as number },
    cosine: { mean: expect.closeTo(0.997, 12) as number, least: 0.8 },
    drift: { psi: expect.closeTo(0.106, 3) as number, totalVariation: expect.closeTo(0.02, 12) as number },
    nonFinite: { variant: 0, mirror: 0 },
    otherShape: 0,
    computeMs: {
      variant: { p50: expect.closeTo(2, 1) as number, p99: expect.closeTo(2, 1) as number },
      mirror: { p50: expect.closeTo(4, 1) as number, p99: expect.closeTo(4, 1) as number },
    },
  });
});

test('what was taken is not taken again', () => {
  const sums = new MirrorSums(SCOPE);
  sums.add(PAIR, comparison('a', 'b'), FIRST);
  expect(sums.take().sums).not.toEqual([]);
  expect(sums.isEmpty).toBe(true);
  expect(sums.take()).toEqual({ ...SCOPE, sums: [], maxima: [] });
});

test('pairs that name no class have no agreement, and those without scores no difference', () => {
  const sums = new MirrorSums(SCOPE);
  const bare = {
    ...comparison('a', 'a'),
    labels: undefined,
    categories: [],
    difference: undefined,
    cosines: [],
  };
  sums.add(PAIR, bare, { isFirstOfUnit: true, computeMs: { variant: undefined, mirror: undefined } });
  expect(resultOf(sums)).toMatchObject({
    compared: 1,
    agreement: null,
    flips: [],
    otherFlips: 0,
    difference: null,
    cosine: null,
    drift: null,
    computeMs: { variant: null, mirror: null },
  });
});

test('whatever models answer, a pair has at most so many sums; the rest is counted together', () => {
  const sums = new MirrorSums(SCOPE);
  for (let index = 0; index < 5000; index++) sums.add(PAIR, comparison(`a${index}`, `b${index}`), FIRST);
  const batch = sums.take();
  expect(batch.sums.length).toBeLessThan(256 + 2 * 1024 + 50);
  const [tally] = readMirrorTallies([...batch.sums, ...batch.maxima]);
  const [result] = mirrorResults(tally === undefined ? [] : [tally]);
  expect(result?.flips).toHaveLength(50);
  expect(result?.otherFlips).toBe(4950);
  expect(Object.values(tally?.categories.mirror ?? {}).reduce((sum, rows) => sum + rows, 0)).toBe(5000);

  const restarted = new MirrorSums(SCOPE);
  restarted.know(tally === undefined ? [] : [tally]);
  restarted.add(PAIR, comparison('new', 'newer'), FIRST);
  restarted.add(PAIR, comparison('a1', 'b1'), FIRST);
  const [after] = readMirrorTallies(restarted.take().sums);
  expect(after?.flips).toEqual([
    { from: '(other)', to: '(other)', rows: 1 },
    { from: 'a1', to: 'b1', rows: 1 },
  ]);
});
