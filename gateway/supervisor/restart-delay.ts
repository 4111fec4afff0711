const FIRST_MS = 250;
const LONGEST_MS = 10_000;

/**
 * How long to wait before the serving process is started again: not at all when it had been ready, twice as long each time it
 * ends before it is.
 *
 * @param unready times in a row that it ended before it was ready, >= 0
 * @returns milliseconds, from 0 to 10 s
 */
export function restartDelayMs(unready: number): number {
  return unready === 0 ? 0 : Math.min(LONGEST_MS, FIRST_MS * 2 ** (unready - 1));
}
