import { toNumbers } from '../tensor/datatype.ts';
import type { NumericTensor } from '../tensor/tensor.ts';
import type { ImageSpec } from './image-spec.ts';

/** One class of an answer. */
export interface ClassScore {
  readonly classId: number;
  /** Its line in the labels file; the class's number where there is none. */
  readonly label: string;
  /** The softmax probability, or the output itself where the activation is `none`. */
  readonly confidence: number;
}

/**
 * The best classes of each row of a classifier's output, best first; of equal ones the lower number.
 *
 * @param output `[rows, classes]`, or any shape whose elements are those of its rows, one after the other
 * @param rows how many there are; the output's elements are a multiple of it
 */
export function topClasses(
  output: NumericTensor,
  spec: Pick<ImageSpec, 'topK' | 'activation'>,
  labels: readonly string[],
  rows: number,
): readonly (readonly ClassScore[])[] {
  const classes = rows === 0 ? 0 : output.data.length / rows;
  return Array.from({ length: rows }, (_, row) => {
    const scores = toNumbers(output.datatype, output.data.subarray(row * classes, (row + 1) * classes));
    const values = spec.activation === 'softmax' ? softmax(scores) : scores;
    return values
      .map((confidence, classId) => ({ classId, label: labels[classId] ?? String(classId), confidence }))
      .sort((a, b) => b.confidence - a.confidence || a.classId - b.classId)
      .slice(0, spec.topK);
  });
}

/** Shifted by the maximum, so that large logits don't overflow. */
function softmax(logits: readonly number[]): readonly number[] {
  const largest = logits.reduce((max, logit) => Math.max(max, logit), -Infinity);
  const powers = logits.map((logit) => Math.exp(logit - largest));
  const sum = powers.reduce((total, power) => total + power, 0);
  return powers.map((power) => power / sum);
}
