import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isoTime } from '../../../gateway/exposures/iso-time.ts';

test('writes every time as the platform does, whichever was written before', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: -62_135_596_800_000, max: 253_402_300_799_999 })), (times) => {
      for (const time of times) expect(isoTime(time)).toBe(new Date(time).toISOString());
    }),
  );
});

test('writes the milliseconds of one second with all their zeros', () => {
  const second = Date.UTC(2026, 10, 25, 15, 44, 20);
  for (const ms of [0, 7, 70, 99, 100, 999]) {
    expect(isoTime(second + ms)).toBe(new Date(second + ms).toISOString());
  }
});
