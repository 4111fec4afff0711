import { expect, test } from 'vitest';
import { restartDelayMs } from '../../../gateway/supervisor/restart-delay.ts';

test('the first restart is at once; each that does not get ready waits twice as long, ten seconds at the most', () => {
  expect([0, 1, 2, 3, 6, 7, 1000].map(restartDelayMs)).toEqual([0, 250, 500, 1000, 8000, 10_000, 10_000]);
});
