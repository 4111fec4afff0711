import { describe, expect, test } from 'vitest';
import { compareAnswers } from '../../../experiments/mirror/compare-answers.ts';
import type { AnswerOutput } from '../../../experiments/answers/answer-output.ts';

const READING = { batches: true, labels: ['cat', 'dog', 'owl'] };

function scores(shape: readonly number[], data: readonly number[], name = 'SCORES'): AnswerOutput {
  return { name, datatype: 'FP32', shape, values: { kind: 'floats', data: Float32Array.from(data) } };
}

function words(shape: readonly number[], data: readonly string[], name = 'LABEL'): AnswerOutput {
  return { name, datatype: 'BYTES', shape, values: { kind: 'labels', data } };
}

test('equal answers agree in everything', () => {
  const output = scores([2, 3], [0.1, 0.7, 0.2, 3, 2, 1]);
  expect(compareAnswers([output], [output], READING)).toEqual({
    isOtherShape: false,
    nonFinite: { answered: false, mirrored: false },
    labels: [
      { answered: 'dog', mirrored: 'dog' },
      { answered: 'cat', mirrored: 'cat' },
    ],
    categories: [
      { answered: 'dog', mirrored: 'dog' },
      { answered: 'cat', mirrored: 'cat' },
    ],
    difference: { elements: 6, sum: 0, largest: 0 },
    cosines: [expect.closeTo(1, 12), expect.closeTo(1, 12)],
  });
});

test('labels, differences and cosines are those of the rows', () => {
  const answered = scores([2, 3], [1, 0, 0, 0, 0, 2]);
  const mirrored = scores([2, 3], [0, 1, 0, 0, 0, -2]);
  expect(compareAnswers([answered], [mirrored], READING)).toMatchObject({
    labels: [
      { answered: 'cat', mirrored: 'dog' },
      { answered: 'owl', mirrored: 'cat' },
    ],
    difference: { elements: 6, sum: 6, largest: 4 },
    cosines: [0, -1],
  });
});

describe('what an answer says in one word', () => {
  const labelsOf = (output: AnswerOutput, reading = READING) =>
    compareAnswers([output], [output], reading).labels?.map(({ answered }) => answered);

  test.each([
    ['of equal scores the first class', scores([1, 3], [1, 1, 0]), ['cat']],
    ['a class without a name goes by its number', scores([1, 4], [0, 0, 0, 1]), ['3']],
    ['dimensions of one do not count', scores([1, 1, 3, 1], [0, 1, 0]), ['dog']],
    ['a row with NaN has no highest score', scores([2, 2], [NaN, 1, 0, 1]), ['NaN', 'dog']],
    ['a text is its own label', words([2, 1], ['spam', 'ham']), ['spam', 'ham']],
    [
      'so is a whole number',
      { name: 'L', datatype: 'INT64', shape: [2], values: { kind: 'labels', data: [7n, 8n] } } as const,
      ['7', '8'],
    ],
    ['a single score names no class', scores([2, 1], [0.2, 0.9]), undefined],
    ['nor does a picture', scores([1, 3, 2, 2], Array<number>(12).fill(0)), undefined],
    ['nor a sequence of texts', words([1, 2], ['a', 'b']), undefined],
  ])('%s', (_, output, labels) => {
    expect(labelsOf(output)).toEqual(labels);
  });

  test('without a batch dimension the whole output is one row', () => {
    expect(labelsOf(scores([3], [0, 0, 1]), { ...READING, batches: false })).toEqual(['owl']);
  });

  test('a long text is cut', () => {
    expect(labelsOf(words([1], ['x'.repeat(1000)]))?.[0]).toHaveLength(64);
  });
});

test('single scores are told apart in categories', () => {
  const categories = compareAnswers(
    [scores([6, 1], [0.52, -0.01, 1, 5, -5, NaN])],
    [scores([6, 1], [0.58, 0.01, 0.99, 500, 0, Infinity])],
    READING,
  ).categories;
  expect(categories).toEqual([
    { answered: '0.5', mirrored: '0.55' },
    { answered: '-0.05', mirrored: '0' },
    { answered: '0.95', mirrored: '0.95' },
    { answered: '2^2', mirrored: '2^8.5' },
    { answered: '-2^2', mirrored: '0' },
    { answered: 'NaN', mirrored: 'NaN' },
  ]);
});

test('what is not finite is noted by whose answer it is, and is no difference', () => {
  const comparison = compareAnswers([scores([1, 2], [1, 2])], [scores([1, 2], [NaN, 2])], READING);
  expect(comparison).toMatchObject({
    nonFinite: { answered: false, mirrored: true },
    difference: { elements: 1, sum: 0, largest: 0 },
    labels: [{ answered: 'dog', mirrored: 'NaN' }],
  });
});

test.each([
  ['a shape', [scores([1, 2], [0, 1])], [scores([1, 3], [0, 1, 2])]],
  ['a type', [scores([1, 1], [0], 'A')], [words([1, 1], ['0'], 'A')]],
  ['an output that is missing', [scores([1, 2], [0, 1]), words([1], ['a'])], [scores([1, 2], [0, 1])]],
  ['an output that is added', [scores([1, 2], [0, 1])], [scores([1, 2], [0, 1]), words([1], ['a'])]],
])('%s that differs is noted, and the rest is compared', (_, answered, mirrored) => {
  expect(compareAnswers(answered, mirrored, READING).isOtherShape).toBe(true);
});

test('the order of outputs is of no matter, and the first that names a class decides', () => {
  const [a, b] = [scores([1, 1], [0.5], 'SCORE'), words([1], ['spam'])];
  const comparison = compareAnswers([a, b], [words([1], ['ham']), a], READING);
  expect(comparison).toMatchObject({
    isOtherShape: false,
    labels: [{ answered: 'spam', mirrored: 'ham' }],
  });
});

test.each([
  ['one long row', [1, 1_000_000]],
  ['many short rows', [100_000, 10]],
])('of a large output a part is compared: %s', (_, shape) => {
  const data = Array.from({ length: 1_000_000 }, (_, index) => index % 7);
  const shifted = data.map((value) => value + 1);
  const { difference } = compareAnswers([scores(shape, data)], [scores(shape, shifted)], READING);
  expect(difference?.elements).toBeGreaterThan(60_000);
  expect(difference?.elements).toBeLessThanOrEqual(66_000);
  expect(difference?.sum).toBe(difference?.elements);
});
