import { expect, test } from 'vitest';
import { topConfidence } from '../../../experiments/answers/confidence.ts';
import type { AnswerOutput } from '../../../experiments/answers/answer-output.ts';

const READING = { batches: true, labels: [] };

function scores(shape: readonly number[], data: readonly number[]): AnswerOutput {
  return { name: 'SCORES', datatype: 'FP64', shape, values: { kind: 'floats', data } };
}

/** Of logits 1, 2 and 3. */
const SOFTMAX = Math.exp(3) / (Math.exp(1) + Math.exp(2) + Math.exp(3));

test.each([
  ['logits', scores([1, 3], [1, 2, 3]), 'softmax', SOFTMAX],
  ['logits that nothing explains', scores([1, 3], [1, 2, 3]), undefined, SOFTMAX],
  ['probabilities', scores([1, 2], [0.2, 0.8]), undefined, 0.8],
  ['scores between 0 and 1 that are logits', scores([1, 2], [0, 0]), undefined, 0.5],
  ['scores that stand for themselves', scores([1, 2], [3, 5]), 'none', 5],
  ['probabilities that are called logits', scores([1, 2], [0, 1]), 'softmax', 1 / (1 + Math.exp(-1))],
  ['large logits', scores([1, 2], [1000, 0]), 'softmax', 1],
  ['the first of several rows', scores([2, 2], [0.6, 0.4, 0.1, 0.9]), undefined, 0.6],
  ['a picture', scores([1, 2, 2], [0, 0, 0, 0]), undefined, undefined],
  ['a single score', scores([1, 1], [0.4]), undefined, undefined],
  ['no row', scores([0, 2], []), undefined, undefined],
  ['a score that is not finite', scores([1, 2], [NaN, 1]), undefined, undefined],
] as const)('the confidence of %s', (_, output, activation, confidence) => {
  const found = topConfidence(output, READING, activation);
  if (confidence === undefined) expect(found).toBeUndefined();
  else expect(found).toBeCloseTo(confidence, 12);
});
