import { expect, test } from 'vitest';
import { InvalidDocuments, fileProblem, formatProblem } from '../../documents/problem.ts';

const WEIGHT = { file: 'a.yaml', line: 6, column: 5, path: 'variants[0].weight', message: 'is -1' };

test('a problem is told as file:line:column, which editors and terminals turn into a link', () => {
  expect(formatProblem(WEIGHT)).toBe('a.yaml:6:5: variants[0].weight: is -1');
});

test('a problem of a document itself names no path', () => {
  expect(formatProblem({ ...WEIGHT, path: '' })).toBe('a.yaml:6:5: is -1');
});

test('a problem of a whole file names no place in it', () => {
  expect(formatProblem(fileProblem('a.yaml', 'is missing'))).toBe('a.yaml: is missing');
});

test('the error for several problems says all of them, a line each', () => {
  const error = new InvalidDocuments([WEIGHT, fileProblem('b.yaml', 'is missing')]);
  expect(error.message).toBe('a.yaml:6:5: variants[0].weight: is -1\nb.yaml: is missing');
  expect(error.problems).toHaveLength(2);
});
