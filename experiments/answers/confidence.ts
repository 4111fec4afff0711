import { rowsOf, rowWidth } from './answer-output.ts';
import type { AnswerOutput, OutputReading } from './answer-output.ts';

/** Classes beyond which the softmax would take too long for a request's path. */
const MOST_CLASSES = 4096;

/** How far from 1 probabilities may sum up and still be taken as such. */
const TOLERANCE = 1e-3;

/** Whether an output's scores are logits, which softmax makes probabilities, or stand for themselves; undefined: as they look. */
export type Activation = 'softmax' | 'none' | undefined;

/**
 * How sure a classifier is of its answer: the highest probability of the first row, 0 to 1.
 *
 * Scores that no configuration explains are taken as probabilities where they lie between 0 and 1 and sum up to 1, and as logits otherwise.
 *
 * @returns undefined where the output is no row of scores for 2 to 4,096 classes, or one of them is not finite
 */
export function topConfidence(
  output: AnswerOutput,
  reading: OutputReading,
  activation: Activation,
): number | undefined {
  const { values } = output;
  const classes = rowWidth(output, reading) ?? 0;
  if (values.kind !== 'floats' || classes < 2 || classes > MOST_CLASSES) return undefined;
  if (rowsOf(output, reading) === 0) return undefined;
  let [highest, lowest, sum] = [-Infinity, Infinity, 0];
  for (let index = 0; index < classes; index++) {
    const score = values.data[index] ?? NaN;
    if (!Number.isFinite(score)) return undefined;
    sum += score;
    if (score > highest) highest = score;
    if (score < lowest) lowest = score;
  }
  const areProbabilities = lowest >= 0 && highest <= 1 && Math.abs(sum - 1) <= TOLERANCE;
  if (activation === 'none' || (activation === undefined && areProbabilities)) return highest;
  let powers = 0;
  for (let index = 0; index < classes; index++) powers += Math.exp((values.data[index] ?? 0) - highest);
  return 1 / powers;
}
