import type { Problem } from './problem.ts';

/** The keys and list positions that lead to a value. */
export type Path = readonly (string | number)[];

/** A parsed file that still knows where each value stands, whatever its format. */
export interface SourceDocument {
  readonly file: string;
  /** Plain data: maps, lists, strings, numbers, booleans, null. */
  readonly data: unknown;
  /** Describes what is wrong at `path`; the line and column are those of the nearest value that exists. */
  problemAt(path: Path, message: string): Problem;
}

/** `['variants', 1, 'weight']` becomes `variants[1].weight`. */
export function formatPath(path: Path): string {
  return path
    .map((part, index) => (typeof part === 'number' ? `[${part}]` : index === 0 ? part : `.${part}`))
    .join('');
}
