import { vi } from 'vitest';

/** Longer than a busy machine takes for what a test waits for, and shorter than the test's own time, so that what never came true is told. */
const PATIENCE_MS = 100_000;

/** Waits until what is expected holds; where it never does, what was wrong last is told. */
export async function eventuallyHolds(expectations: () => unknown): Promise<void> {
  await vi.waitFor(expectations, { timeout: PATIENCE_MS, interval: 10 });
}
