/** From one size to the next: fewer sizes take less memory, more of them fewer rows that are run for nothing. */
const STEP = 4;

/**
 * The batch sizes that a version is run with where a change of the size is dear, each in a session of its own: 1, 4, 16 and so on, and the largest.
 *
 * @param maxBatchSize >= 1
 */
export function batchSizes(maxBatchSize: number): readonly number[] {
  const sizes: number[] = [];
  for (let size = 1; size < maxBatchSize; size *= STEP) sizes.push(size);
  return [...sizes, maxBatchSize];
}

/** The smallest of the sizes, which ascend, that has room for the rows; the rows themselves where none has. */
export function sizeFor(rows: number, sizes: readonly number[]): number {
  return sizes.find((size) => size >= rows) ?? rows;
}
