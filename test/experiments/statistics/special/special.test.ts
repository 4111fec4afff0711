import { describe, expect, test } from 'vitest';
import { incompleteBeta, logBeta } from '../../../../experiments/statistics/special/beta.ts';
import { chiSquareTail } from '../../../../experiments/statistics/special/chi-square.ts';
import { logGamma, lowerGamma, upperGamma } from '../../../../experiments/statistics/special/gamma.ts';
import {
  expectedExcess,
  normalCdf,
  normalQuantile,
  normalTail,
} from '../../../../experiments/statistics/special/normal.ts';
import { integrate } from '../../../../experiments/statistics/special/quadrature.ts';
import { findRoot } from '../../../../experiments/statistics/special/root.ts';
import {
  studentCdf,
  studentQuantile,
  studentTail,
} from '../../../../experiments/statistics/special/student-t.ts';
import vectors from '../../../vectors/statistics/special.json' with { type: 'json' };

/** Expects a value within a relative error, and exactly zero where zero is expected. */
function expectRelative(actual: number, expected: number, error: number, of: string): void {
  if (expected === 0) expect(Math.abs(actual), of).toBeLessThan(error);
  else expect(Math.abs(actual / expected - 1), `${of}: ${actual}, expected ${expected}`).toBeLessThan(error);
}

describe('against 50 digits of mpmath', () => {
  test.each(vectors.logGamma)('log Γ($x)', ({ x, value }) => {
    expect(Math.abs(logGamma(x) - value)).toBeLessThan(4e-15 * Math.max(1, Math.abs(value)));
  });

  test.each(vectors.logBeta)('log B($a, $b)', ({ a, b, value }) => {
    expectRelative(logBeta(a, b), value, 2e-14, 'log B');
  });

  test.each(vectors.normalCdf)('Φ($z), and the other tail', ({ z, value }) => {
    expectRelative(normalCdf(z), value, 5e-13, 'cdf');
    expectRelative(normalTail(-z), value, 5e-13, 'tail');
  });

  test.each(vectors.normalQuantile)('Φ⁻¹($p)', ({ p, value }) => {
    expectRelative(normalQuantile(p), value, 1e-12, 'quantile');
  });

  test.each(vectors.expectedExcess)('E[max(X, 0)], X ~ N($mean, $deviation²)', (vector) => {
    expectRelative(expectedExcess(vector.mean, vector.deviation), vector.value, 1e-10, 'excess');
  });

  test.each(vectors.studentTail)("Student's tail above $t with $degrees degrees", (vector) => {
    expectRelative(studentTail(vector.t, vector.degrees), vector.value, 1e-12, 'tail');
    expectRelative(studentCdf(-vector.t, vector.degrees), vector.value, 1e-12, 'cdf');
  });

  test.each(vectors.studentQuantile)("Student's quantile of $p with $degrees degrees", (vector) => {
    expectRelative(studentQuantile(vector.p, vector.degrees), vector.value, 1e-11, 'quantile');
  });

  test.each(vectors.upperGamma)('Q($a, $x)', ({ a, x, value }) => {
    expectRelative(upperGamma(a, x), value, 1e-11, 'Q');
  });

  test.each(vectors.lowerGamma)('P($a, $x)', ({ a, x, value }) => {
    expectRelative(lowerGamma(a, x), value, 1e-11, 'P');
  });

  test.each(vectors.chiSquareTail)('chi-square above $value with $degrees degrees', (vector) => {
    expectRelative(chiSquareTail(vector.value, vector.degrees), vector.tail, 1e-12, 'tail');
  });

  test.each(vectors.incompleteBeta)('I_$x($a, $b)', ({ a, b, x, value }) => {
    expectRelative(incompleteBeta(a, b, x), value, 1e-10, 'I');
  });
});

test('quantiles at the ends are infinite, and beyond them there are none', () => {
  expect(normalQuantile(0)).toBe(-Infinity);
  expect(normalQuantile(1)).toBe(Infinity);
  expect(normalQuantile(-0.1)).toBeNaN();
  expect(normalQuantile(1.1)).toBeNaN();
  expect(studentQuantile(0.5, 3)).toBe(0);
});

test('a root is found to the last digits, and two ends of one sign are refused', () => {
  expect(findRoot((x) => x * x * x - 2, 0, 2)).toBeCloseTo(2 ** (1 / 3), 15);
  expect(findRoot((x) => Math.exp(x) - 1e-8, -100, 0)).toBeCloseTo(Math.log(1e-8), 12);
  expect(findRoot((x) => x, 0, 5)).toBe(0);
  expect(() => findRoot((x) => x * x + 1, -1, 1)).toThrow('no sign change between -1 (2) and 1 (2)');
});

test('a smooth integral is exact to the last digits', () => {
  expect(integrate(Math.exp, 0, 1, 4)).toBeCloseTo(Math.E - 1, 14);
  expect(integrate((x) => Math.exp(-0.5 * x * x), -9, 9, 12)).toBeCloseTo(Math.sqrt(2 * Math.PI), 13);
});
