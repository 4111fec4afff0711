import { expect, test } from 'vitest';
import { killRollouts } from '../../../bench/rollouts/kills.ts';

test('a rollout whose process is killed at any moment goes on, and its history is whole (the short form of `npm run soak:rollouts`)', async () => {
  const { problems, steps } = await killRollouts(2);
  expect(problems).toEqual([]);
  expect(steps).toBeGreaterThan(0);
});
