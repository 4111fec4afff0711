import { readFile } from 'node:fs/promises';
import { fileProblem } from './problem.ts';
import type { Problem } from './problem.ts';

/** What a file holds, or why it can't be read. */
export type FileState =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'unreadable'; readonly problem: Problem };

/** Reads a file whole; never rejects. */
export async function readFileState(file: string): Promise<FileState> {
  try {
    return { kind: 'text', text: await readFile(file, 'utf8') };
  } catch (error) {
    return unreadable(file, error);
  }
}

/** @param error why it can't be read */
export function unreadable(
  file: string,
  error: unknown,
): Extract<FileState, { readonly kind: 'unreadable' }> {
  const reason = error instanceof Error ? error.message : String(error);
  return { kind: 'unreadable', problem: fileProblem(file, `can't be read: ${reason}`) };
}

/** Whether two looks saw the same; undefined: the file was not there. */
export function isSameState(a: FileState | undefined, b: FileState | undefined): boolean {
  if (a?.kind === 'text' && b?.kind === 'text') return a.text === b.text;
  return a?.kind === b?.kind;
}
