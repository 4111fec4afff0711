import { describe, expect, test } from 'vitest';
import { topClasses as topClassesOf } from '../../../backends/image/top-classes.ts';
import type { NumericTensor } from '../../../backends/tensor/tensor.ts';

type Wanted = Parameters<typeof topClassesOf>[1];

const topClasses = (output: NumericTensor, wanted: Wanted, labels: readonly string[]) =>
  topClassesOf(output, wanted, labels, output.shape[0] ?? 1);

const scores = (rows: readonly (readonly number[])[]): NumericTensor => ({
  name: 'scores',
  datatype: 'FP32',
  shape: [rows.length, rows[0]?.length ?? 0],
  data: Float32Array.from(rows.flat()),
});

const idsOf = (output: NumericTensor, topK: number): number[][] =>
  topClasses(output, { topK, activation: 'none' }, []).map((classes) =>
    classes.map(({ classId }) => classId),
  );

test('the best classes come first, as many as are wanted, of each row its own', () => {
  const output = scores([
    [1, 3, 2, 0],
    [7, 5, 6, 9],
  ]);
  expect(idsOf(output, 3)).toEqual([
    [1, 2, 0],
    [3, 0, 2],
  ]);
});

test('of equal classes the lower number comes first, also where they are cut off', () => {
  expect(idsOf(scores([[1, 2, 2, 2, 1]]), 2)).toEqual([[1, 2]]);
  expect(idsOf(scores([[0, 0, 0, 0]]), 3)).toEqual([[0, 1, 2]]);
});

test('more classes than there are wanted gives all', () => {
  expect(idsOf(scores([[1, 2]]), 5)).toEqual([[1, 0]]);
});

test('no rows give no answers', () => {
  expect(idsOf({ ...scores([]), shape: [0, 4] }, 5)).toEqual([]);
});

test('a class has its line in the labels, and its number where there is none', () => {
  const [classes] = topClasses(scores([[3, 2, 1]]), { topK: 3, activation: 'none' }, ['cat', 'dog']);
  expect(classes).toEqual([
    { classId: 0, label: 'cat', confidence: 3 },
    { classId: 1, label: 'dog', confidence: 2 },
    { classId: 2, label: '2', confidence: 1 },
  ]);
});

describe('softmax', () => {
  const softmaxOf = (row: readonly number[]): number[] =>
    topClasses(scores([row]), { topK: row.length, activation: 'softmax' }, [])
      .flat()
      .map(({ confidence }) => confidence);

  test('makes probabilities of all classes, also of those that are not named', () => {
    const [best] = topClasses(scores([[0, Math.log(3)]]), { topK: 1, activation: 'softmax' }, []).flat();
    expect(best?.confidence).toBeCloseTo(0.75, 6);
  });

  test('of very large and very small scores does not overflow', () => {
    expect(softmaxOf([10_000, 10_000, -10_000])).toEqual([0.5, 0.5, 0]);
    expect(softmaxOf([-10_000, -10_000])).toEqual([0.5, 0.5]);
  });

  test('is taken over each row by itself', () => {
    const rows = topClasses(
      scores([
        [100, 100],
        [0, 0],
      ]),
      { topK: 2, activation: 'softmax' },
      [],
    );
    expect(rows.map((row) => row.map(({ confidence }) => confidence))).toEqual([
      [0.5, 0.5],
      [0.5, 0.5],
    ]);
  });
});

test('none gives the scores of the model as they are', () => {
  const [classes = []] = topClasses(scores([[-2.5, 40]]), { topK: 2, activation: 'none' }, []);
  expect(classes.map(({ confidence }) => confidence)).toEqual([40, -2.5]);
});

test('scores may be whole numbers of any type', () => {
  const votes: NumericTensor = {
    name: 'votes',
    datatype: 'INT64',
    shape: [1, 3],
    data: BigInt64Array.of(-5n, 12n, 7n),
  };
  expect(idsOf(votes, 3)).toEqual([[1, 2, 0]]);
});

test('half-precision scores are read as the numbers they stand for', () => {
  const halves: NumericTensor = {
    name: 'scores',
    datatype: 'FP16',
    shape: [1, 3],
    data: Uint16Array.of(0xbc00, 0x3c00, 0x4000), // -1, 1, 2
  };
  const [classes = []] = topClasses(halves, { topK: 3, activation: 'none' }, []);
  expect(classes.map(({ classId, confidence }) => [classId, confidence])).toEqual([
    [2, 2],
    [1, 1],
    [0, -1],
  ]);
});
