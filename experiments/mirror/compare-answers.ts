import { rowsOf } from '../answers/answer-output.ts';
import type { AnswerOutput, OutputReading } from '../answers/answer-output.ts';
import { scoreCategory, topLabels } from '../answers/top-label.ts';

/** How a shadow's answer to a request differs from the one that the caller got. */
export interface Comparison {
  /** Whether an output is missing, added, or of another shape or type: what can't be compared is not. */
  readonly isOtherShape: boolean;
  /** Whether a score is NaN or infinite, in the caller's answer and in the shadow's. */
  readonly nonFinite: { readonly answered: boolean; readonly mirrored: boolean };
  /** What both say of each row, by the first output that names a class; undefined where none does. */
  readonly labels: readonly LabelPair[] | undefined;
  /** What both say of each row for their distributions: the labels, or categories of a single score. */
  readonly categories: readonly LabelPair[];
  /** Over all finite scores of all outputs, each against its counterpart; undefined where there are none. */
  readonly difference: Difference | undefined;
  /** Cosine similarity of each row of each output that has several scores, -1 to 1. */
  readonly cosines: readonly number[];
}

export interface LabelPair {
  readonly answered: string;
  readonly mirrored: string;
}

export interface Difference {
  readonly elements: number;
  /** The sum of the absolute differences. */
  readonly sum: number;
  readonly largest: number;
}

/** Scores of one output that are compared; of a larger output as many are taken at even distances, so that none takes long. */
const MOST_COMPARED = 65_536;

/** Differences beyond it count as this, so that sums stay numbers. */
const LARGEST_DIFFERENCE = 1e15;

/** Compares two answers to one request. Pure; the outputs are only read. */
export function compareAnswers(
  answered: readonly AnswerOutput[],
  mirrored: readonly AnswerOutput[],
  reading: OutputReading,
): Comparison {
  const pairs = answered.flatMap((output) => {
    const counterpart = mirrored.find(({ name }) => name === output.name);
    return counterpart !== undefined && isAlike(output, counterpart) ? [[output, counterpart] as const] : [];
  });
  const sums = new DifferenceSums();
  for (const [output, counterpart] of pairs) sums.add(output, counterpart, reading);
  const labels = firstOf(pairs, (output, counterpart) =>
    paired(topLabels(output, reading), topLabels(counterpart, reading)),
  );
  return {
    isOtherShape: pairs.length < Math.max(answered.length, mirrored.length),
    nonFinite: { answered: answered.some(hasNonFinite), mirrored: mirrored.some(hasNonFinite) },
    labels,
    categories:
      labels ??
      firstOf(pairs, (output, counterpart) =>
        paired(scores(output, reading), scores(counterpart, reading)),
      ) ??
      [],
    difference: sums.difference,
    cosines: sums.cosines,
  };
}

type Pair = readonly [AnswerOutput, AnswerOutput];

function isAlike(a: AnswerOutput, b: AnswerOutput): boolean {
  return (
    a.datatype === b.datatype &&
    a.shape.length === b.shape.length &&
    a.shape.every((size, index) => size === b.shape[index])
  );
}

function firstOf<Found>(
  pairs: readonly Pair[],
  find: (output: AnswerOutput, counterpart: AnswerOutput) => Found | undefined,
): Found | undefined {
  for (const [output, counterpart] of pairs) {
    const found = find(output, counterpart);
    if (found !== undefined) return found;
  }
  return undefined;
}

function paired(
  answered: readonly string[] | undefined,
  mirrored: readonly string[] | undefined,
): readonly LabelPair[] | undefined {
  if (answered === undefined || mirrored === undefined) return undefined;
  return answered.map((label, row) => ({ answered: label, mirrored: mirrored[row] ?? '' }));
}

/** The categories of an output that has a single score a row. */
function scores(output: AnswerOutput, reading: OutputReading): readonly string[] | undefined {
  const { values } = output;
  if (values.kind !== 'floats' || values.data.length !== rowsOf(output, reading)) return undefined;
  return Array.from(values.data, scoreCategory);
}

function hasNonFinite({ values }: AnswerOutput): boolean {
  if (values.kind !== 'floats') return false;
  const { data } = values;
  const step = stepOver(data.length);
  for (let index = 0; index < data.length; index += step) if (!Number.isFinite(data[index])) return true;
  return false;
}

function stepOver(elements: number): number {
  return Math.max(1, Math.ceil(elements / MOST_COMPARED));
}

class DifferenceSums {
  readonly cosines: number[] = [];
  #elements = 0;
  #sum = 0;
  #largest = 0;

  get difference(): Difference | undefined {
    return this.#elements === 0
      ? undefined
      : { elements: this.#elements, sum: this.#sum, largest: this.#largest };
  }

  add(output: AnswerOutput, counterpart: AnswerOutput, reading: OutputReading): void {
    const [a, b] = [output.values, counterpart.values];
    if (a.kind !== 'floats' || b.kind !== 'floats') return;
    const rows = rowsOf(output, reading);
    const perRow = rows === 0 ? 0 : a.data.length / rows;
    const step = stepOver(a.data.length);
    // Of many short rows some are taken whole, of long ones a part of each.
    const [rowStep, elementStep] = perRow < step ? [step, 1] : [1, step];
    for (let row = 0; row < rows; row += rowStep)
      this.#addRow(a.data, b.data, row * perRow, (row + 1) * perRow, elementStep);
  }

  #addRow(a: ArrayLike<number>, b: ArrayLike<number>, from: number, to: number, step: number): void {
    let [dot, squareA, squareB] = [0, 0, 0];
    for (let index = from; index < to; index += step) {
      const [x, y] = [a[index] ?? NaN, b[index] ?? NaN];
      if (!Number.isFinite(x) || !Number.isFinite(y)) continue;
      const difference = Math.min(LARGEST_DIFFERENCE, Math.abs(x - y));
      this.#elements += 1;
      this.#sum += difference;
      if (difference > this.#largest) this.#largest = difference;
      dot += x * y;
      squareA += x * x;
      squareB += y * y;
    }
    // Of a single score only its sign would be seen.
    if (to - from >= 2) this.cosines.push(cosine(dot, squareA, squareB));
  }
}

/** Two rows of zeros are alike; one of them is like nothing else. */
function cosine(dot: number, squareA: number, squareB: number): number {
  if (squareA === 0 && squareB === 0) return 1;
  const length = Math.sqrt(squareA) * Math.sqrt(squareB);
  return length === 0 || !Number.isFinite(length) ? 0 : Math.max(-1, Math.min(1, dot / length));
}
