import { expect } from 'vitest';
import type { AuditLine } from './replica.ts';

/** Every version once, each from the one before. */
export function expectWhole(history: readonly AuditLine[]): void {
  const versions = history.map(({ after }) => after.version);
  expect(versions).toEqual(versions.map((_, index) => index + 1));
  for (const { before, after } of history) expect((before?.version ?? 0) + 1).toBe(after.version);
}
