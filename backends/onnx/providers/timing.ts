import { firstRun } from '../first-run.ts';
import type { OnnxInstance } from '../instance.ts';
import { zeroRun } from '../zero-run.ts';

/** Timed runs; the quickest counts, as what disturbs a run only ever makes it longer. */
const RUNS = 3;

/**
 * Times a model over zeros, from the main thread's question to its answer, after a run that warms it up.
 *
 * @param rows of a batch, >= 1; undefined for a model that doesn't batch
 * @param limitMs of each run; undefined: it may take as long as it takes
 * @returns milliseconds a row
 * @throws FirstRunHung; Error where the model can't be run over zeros
 */
export async function timePerRow(
  instance: OnnxInstance,
  rows: number | undefined,
  limitMs: number | undefined,
): Promise<number> {
  const message = zeroRun(instance, rows);
  let bestMs = Infinity;
  for (let run = 0; run <= RUNS; run++) {
    const startMs = performance.now();
    await firstRun(instance, message, 'the timed warm-up', limitMs);
    if (run > 0) bestMs = Math.min(bestMs, performance.now() - startMs);
  }
  return bestMs / (rows ?? 1);
}
