import { expect } from 'vitest';
import { InvalidDocuments, formatProblem } from '../../documents/problem.ts';

/** What reading is refused for, a line each, as a terminal shows it; fails where nothing is refused. */
export async function refusals(read: () => unknown): Promise<readonly string[]> {
  try {
    await read();
  } catch (error) {
    if (!(error instanceof InvalidDocuments)) throw error;
    return error.problems.map(formatProblem);
  }
  return expect.fail('nothing was refused');
}
