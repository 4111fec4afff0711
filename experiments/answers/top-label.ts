import { rowsOf, rowWidth } from './answer-output.ts';
import type { AnswerOutput, OutputReading } from './answer-output.ts';

/** What stands for all labels beyond those that are kept apart. */
export const OTHER = '(other)';

/** Texts are cut to that: a model may answer with any text. */
const LONGEST_LABEL = 64;

/**
 * What an output says of each of its rows in one word: of scores the class of the highest one (of equal ones the lowest), of
 * a single whole number or text that itself.
 *
 * @returns undefined for an output that names no class: a single score, a picture, a sequence
 */
export function topLabels(output: AnswerOutput, reading: OutputReading): readonly string[] | undefined {
  const { values } = output;
  const rows = rowsOf(output, reading);
  const width = rowWidth(output, reading);
  if (values.kind === 'labels') {
    if (width !== 1) return undefined;
    return eachRow(rows, (row) => String(values.data[row] ?? ''));
  }
  if (width === undefined || width < 2) return undefined;
  return eachRow(rows, (row) => {
    const top = topClass(values.data, row * width, width);
    return top === undefined ? 'NaN' : (reading.labels[top] ?? String(top));
  });
}

/** A loop, because `Array.from` takes as long for one row as all else that is done for it. */
function eachRow(rows: number, labelOf: (row: number) => string): readonly string[] {
  const labels: string[] = [];
  for (let row = 0; row < rows; row++) labels.push(labelOf(row).slice(0, LONGEST_LABEL));
  return labels;
}

/** The class with the highest score; undefined where one of the scores is NaN, so that none is the highest. */
function topClass(scores: ArrayLike<number>, from: number, classes: number): number | undefined {
  let [top, highest] = [0, -Infinity];
  for (let index = 0; index < classes; index++) {
    const score = scores[from + index] ?? NaN;
    if (Number.isNaN(score)) return undefined;
    if (score > highest) [top, highest] = [index, score];
  }
  return top;
}

/**
 * A category for a single score, so that two versions' scores can be told apart in distribution: twentieths from -1 to 1, where
 * probabilities lie, and half octaves beyond. At most 250 of them.
 */
export function scoreCategory(score: number): string {
  if (!Number.isFinite(score)) return 'NaN';
  if (Math.abs(score) <= 1) return String(Math.min(19, Math.floor(score * 20)) / 20);
  const halfOctave = Math.min(100, Math.floor(Math.log2(Math.abs(score)) * 2));
  return `${score < 0 ? '-' : ''}2^${halfOctave / 2}`;
}
