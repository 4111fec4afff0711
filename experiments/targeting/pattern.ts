import { RE2JS, RE2JSException } from 're2js';

/** Values longer than this match no pattern: what a caller sends must not set what matching costs. */
export const MAX_MATCHED_CHARACTERS = 256;

/** States of a compiled pattern; a value is matched in time proportional to them and to its length. */
const MAX_PROGRAM_SIZE = 250;

/** A regular expression of RE2's syntax, which has to match a whole value. */
export interface Pattern {
  matches(value: string): boolean;
}

/**
 * Compiles a pattern to RE2's automaton: it never backtracks, so no value can make it take exponential time, which
 * JavaScript's own engine doesn't promise.
 *
 * Source: "Regular Expression Matching Can Be Simple And Fast", Russ Cox, 2007.
 *
 * @returns the pattern, or what is wrong with it
 */
export function compilePattern(text: string): Pattern | string {
  let compiled: RE2JS;
  try {
    compiled = RE2JS.compile(text);
  } catch (error) {
    if (error instanceof RE2JSException) return error.message;
    throw error;
  }
  const size = compiled.programSize();
  if (size > MAX_PROGRAM_SIZE) {
    return `the pattern compiles to ${size} states, at most ${MAX_PROGRAM_SIZE} are taken; repeat less in it`;
  }
  return { matches: (value) => value.length <= MAX_MATCHED_CHARACTERS && compiled.testExact(value) };
}
