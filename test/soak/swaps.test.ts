import { expect, test } from 'vitest';
import { soakSwaps } from '../../bench/soak/swaps.ts';

test('twenty swaps under load over HTTP: no request fails, and each answer is whole and from a version that was live', async () => {
  const { answers, failures, wrong, rssBytes } = await soakSwaps({ swaps: 20, callers: 8, warmAnswers: 0 });
  expect([...failures]).toEqual([]);
  expect(wrong).toEqual([]);
  expect(rssBytes).toHaveLength(20);
  expect(answers).toBeGreaterThan(20 * 8);
});
