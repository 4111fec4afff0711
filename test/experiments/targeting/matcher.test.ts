import fc from 'fast-check';
import { expect, test } from 'vitest';
import { excludes } from '../../../experiments/targeting/exclusion.ts';
import { compileMatcher } from '../../../experiments/targeting/matcher.ts';
import type { Matcher, MatcherFile } from '../../../experiments/targeting/matcher.ts';
import { compilePattern } from '../../../experiments/targeting/pattern.ts';

/** A good condition, compiled. */
function matcher(file: MatcherFile): Matcher {
  const compiled = compileMatcher(file, 'header x', [], (_, message) => expect.fail(message));
  return compiled ?? expect.fail('nothing was compiled');
}

/** Why a condition is refused, a line each. */
function refusalsOf(file: MatcherFile): readonly string[] {
  const lines: string[] = [];
  compileMatcher(file, 'header x', ['match'], (path, message) => lines.push(`${path.join('.')} ${message}`));
  return lines;
}

type Values = readonly (string | undefined)[];

const CASES: readonly (readonly [MatcherFile, Values, Values])[] = [
  ['at', ['at'], ['AT', 'at ', '', undefined]],
  [2, ['2'], ['2.0', undefined]],
  [true, ['true'], ['false', undefined]],
  [{ exact: 'at' }, ['at'], ['de', undefined]],
  [{ in: ['at', 1] }, ['at', '1'], ['de', undefined]],
  [{ prefix: 'pro-' }, ['pro-', 'pro-1'], ['pro', 'xpro-', undefined]],
  [{ regex: 'v[0-9]+' }, ['v1', 'v23'], ['xv1', 'v1x', 'v', undefined]],
  [{ regex: '(?i)yes|no' }, ['YES', 'no'], ['yesno', undefined]],
  [
    { semver: '>=2.1.0 <3' },
    ['2.1.0', '2.9.9'],
    ['2.0.9', '3.0.0', '2.2.0-beta.1', 'two', '2', '', undefined],
  ],
  [{ not: 'at' }, ['de', '', undefined], ['at']],
  [{ not: { prefix: 'pro-' } }, ['free', undefined], ['pro-1']],
];

test.each(CASES)('%j holds for %j and not for %j', (file, holds, fails) => {
  const condition = matcher(file);
  for (const value of holds) expect(condition.matches(value), String(value)).toBe(true);
  for (const value of fails) expect(condition.matches(value), String(value)).toBe(false);
});

test('percentages of one attribute share the values out, each to one of them', () => {
  const parts = [{ percentage: 25 }, { percentage: [25, 50] }, { percentage: [50, 100] }].map(matcher);
  const values = Array.from({ length: 20_000 }, (_, index) => `account-${index}`);
  const counts = parts.map((part) => values.filter((value) => part.matches(value)).length);
  expect(counts.reduce((sum, count) => sum + count)).toBe(values.length);
  for (const [index, share] of [0.25, 0.25, 0.5].entries()) {
    const deviations =
      ((counts[index] ?? 0) - values.length * share) / Math.sqrt(values.length * share * (1 - share));
    expect(Math.abs(deviations)).toBeLessThan(3);
  }
  expect(matcher({ percentage: 100 }).matches(undefined)).toBe(false);
});

test('a percentage of another seed is of other values', () => {
  const [one, other] = [matcher({ percentage: 50 }), matcher({ percentage: 50, seed: 'other' })];
  const values = Array.from({ length: 20_000 }, (_, index) => `account-${index}`);
  const both = values.filter((value) => one.matches(value) && other.matches(value)).length;
  expect(Math.abs(both / values.length - 0.25)).toBeLessThan(0.01);
});

test.each<[MatcherFile, string]>([
  [{}, 'match has no condition; expected a text, or a map with one of exact, prefix'],
  [{ exact: 'a', prefix: 'a' }, 'match has exact and prefix; expected'],
  [{ exact: 'a', seed: 's' }, 'match.seed goes with percentage only'],
  [{ regex: '(a' }, "match.regex is no pattern of RE2's syntax: error parsing regexp: missing closing )"],
  [{ regex: '(?=a)b' }, "match.regex is no pattern of RE2's syntax"],
  [{ regex: '(a{1,30}){1,30}' }, "match.regex is no pattern of RE2's syntax: the pattern compiles to "],
  [{ semver: 'newest' }, 'match.semver is "newest"; expected a range of versions, as ">=2.1.0 <3"'],
  [{ percentage: 0 }, 'match.percentage goes from 0 to 0, which is nobody'],
  [{ percentage: [50, 25] }, 'match.percentage goes from 50 to 25, which is nobody'],
  [{ not: { semver: 'x y' } }, 'match.not.semver is "x y"'],
])('%j is refused', (file, message) => {
  expect(refusalsOf(file)).toEqual([expect.stringContaining(message)]);
});

test('a pattern that makes backtracking engines hang takes milliseconds, whatever is sent', () => {
  for (const text of ['(a+)+b', '(a|a)*b', '(.*a){12}b', '([a-z]+)*[0-9]']) {
    const pattern = compilePattern(text);
    if (typeof pattern === 'string') expect.fail(pattern);
    // The processor's time: a busy machine doesn't lengthen it.
    const before = process.cpuUsage();
    expect(pattern.matches('a'.repeat(256))).toBe(false);
    expect(process.cpuUsage(before).user).toBeLessThan(200_000);
  }
});

test('a value over 256 characters matches no pattern and no range of versions', () => {
  expect(matcher({ regex: 'a*' }).matches('a'.repeat(256))).toBe(true);
  expect(matcher({ regex: 'a*' }).matches('a'.repeat(257))).toBe(false);
  expect(matcher({ semver: '*' }).matches(`1.0.0+${'a'.repeat(251)}`)).toBe(false);
});

test.each<[MatcherFile, MatcherFile]>([
  ['at', 'de'],
  [{ in: ['at', 'de'] }, { in: ['ch', 'fr'] }],
  ['beta', { prefix: 'pro-' }],
  [{ in: ['1.0.0', '2.0.0'] }, { semver: '>=3' }],
  [{ in: ['a', 'b'] }, { regex: '[0-9]+' }],
  [{ in: ['at', 'de'] }, { not: { in: ['de', 'at', 'ch'] } }],
  [{ prefix: 'pro-' }, { prefix: 'free-' }],
  [{ prefix: 'pro-x' }, { not: { prefix: 'pro-' } }],
  [{ regex: 'v[0-9]+' }, { not: { regex: 'v[0-9]+' } }],
  [{ percentage: 25 }, { percentage: [25, 50] }],
  [{ percentage: [10, 20] }, { not: { percentage: [0, 25] } }],
])('%j and %j are proven to exclude each other, either way round', (a, b) => {
  expect(excludes(matcher(a), matcher(b))).toBe(true);
  expect(excludes(matcher(b), matcher(a))).toBe(true);
});

test.each<[MatcherFile, MatcherFile]>([
  ['at', 'at'],
  [{ in: ['at', 'de'] }, { in: ['de', 'fr'] }],
  ['pro-1', { prefix: 'pro-' }],
  [{ prefix: 'pro-' }, { prefix: 'pro-x' }],
  [{ prefix: 'pro-' }, { not: { prefix: 'pro-x' } }],
  // True, and not proven: it would take an algebra of patterns or of ranges.
  [{ regex: 'a+' }, { regex: 'b+' }],
  [{ semver: '<1' }, { semver: '>2' }],
  [{ percentage: 50 }, { percentage: [40, 60] }],
  [{ percentage: 25 }, { percentage: [25, 50], seed: 'other' }],
  // A missing value meets both.
  [{ not: 'at' }, { not: 'de' }],
])('%j and %j are not', (a, b) => {
  expect(excludes(matcher(a), matcher(b))).toBe(false);
  expect(excludes(matcher(b), matcher(a))).toBe(false);
});

const short = fc.string({ unit: fc.constantFrom('a', 'b', '1', '.'), maxLength: 3 });
const operator = fc.oneof(
  short,
  fc.record({ in: fc.array(short, { minLength: 1, maxLength: 3 }) }),
  fc.record({ prefix: fc.string({ unit: fc.constantFrom('a', 'b', '1'), minLength: 1, maxLength: 2 }) }),
  fc.record({ regex: fc.constantFrom('a+', '[ab]1?', '.*', 'b.', '') }).filter(({ regex }) => regex !== ''),
  fc.record({ semver: fc.constantFrom('1.1.1', '>=1', '*') }),
  fc
    .tuple(fc.nat({ max: 99 }), fc.nat({ max: 99 }))
    .map(([a, b]) => ({ percentage: [Math.min(a, b), Math.max(a, b) + 1] })),
);
const anyCondition = fc.oneof(
  operator,
  operator.map((inner) => ({ not: inner })),
);

test('what is proven to exclude each other never holds for one value, nor for none', () => {
  let proven = 0;
  fc.assert(
    fc.property(
      anyCondition,
      anyCondition,
      fc.array(short, { minLength: 20, maxLength: 40 }),
      (a, b, values) => {
        const [one, other] = [matcher(a), matcher(b)];
        if (!excludes(one, other)) return;
        proven += 1;
        for (const value of [...values, undefined]) {
          expect(one.matches(value) && other.matches(value), String(value)).toBe(false);
        }
      },
    ),
    { numRuns: 2000 },
  );
  expect(proven).toBeGreaterThan(100);
});
