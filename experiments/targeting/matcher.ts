import { Range } from 'semver';
import { Type } from 'typebox';
import type { Static } from 'typebox';
import type { Path } from '../../documents/yaml-document.ts';
import { hashShare } from '../assignment.ts';
import { MAX_MATCHED_CHARACTERS, compilePattern } from './pattern.ts';

const MATCHER =
  'a text, or a map with one of exact, prefix, regex, in, semver, percentage and not, as { in: [at, de] }';

const Scalar = () =>
  Type.Union([Type.String(), Type.Number(), Type.Boolean()], { expected: 'a text, a number, true or false' });
const Percent = () => Type.Number({ minimum: 0, maximum: 100, expected: 'a number from 0 to 100' });

const OPERATORS = {
  exact: Type.Optional(Scalar()),
  prefix: Type.Optional(Type.String({ minLength: 1, expected: 'a text' })),
  regex: Type.Optional(
    Type.String({ minLength: 1, maxLength: 500, expected: 'a regular expression of 500 characters at most' }),
  ),
  in: Type.Optional(
    Type.Array(Scalar(), { minItems: 1, maxItems: 10_000, expected: 'a list of at least one value' }),
  ),
  semver: Type.Optional(
    Type.String({ minLength: 1, maxLength: 200, expected: 'a range of versions, as ">=2.1.0"' }),
  ),
  percentage: Type.Optional(
    Type.Union([Percent(), Type.Array(Percent(), { minItems: 2, maxItems: 2 })], {
      description: 'a share of the values by their hash, in percent: 25, or [25, 50] from and up to',
      expected: 'a percentage, as 25, or from and up to, as [25, 50]',
    }),
  ),
  seed: Type.Optional(
    Type.String({ minLength: 1, maxLength: 200, description: 'of percentage; default: the attribute' }),
  ),
};

const Operators = Type.Object(OPERATORS, { additionalProperties: false });

/** What a value has to be: a text says it has to be that text. */
export const MatcherSchema = Type.Union(
  [
    Scalar(),
    Type.Object(
      { ...OPERATORS, not: Type.Optional(Type.Union([Scalar(), Operators])) },
      { additionalProperties: false },
    ),
  ],
  { expected: MATCHER },
);

export type MatcherFile = Static<typeof MatcherSchema>;

/** A condition on one value, as data: it can be compared, and two of them can be proven to exclude each other. */
export type MatcherSpec =
  | { readonly op: 'in'; readonly values: readonly string[] }
  | { readonly op: 'prefix'; readonly prefix: string }
  | { readonly op: 'regex'; readonly pattern: string }
  | { readonly op: 'semver'; readonly range: string }
  /** From and up to, without the end, as shares from 0 to 1. */
  | { readonly op: 'percentage'; readonly from: number; readonly to: number; readonly seed: string }
  | { readonly op: 'not'; readonly spec: MatcherSpec };

export interface Matcher {
  readonly spec: MatcherSpec;
  /** @param value undefined: the request has none, which only `not` accepts */
  matches(value: string | undefined): boolean;
}

/** Takes down what is wrong, and where. */
export type Refuse = (path: Path, message: string) => void;

/**
 * Compiles a condition.
 *
 * @param attribute the default seed of `percentage`, so that shares of one attribute fit together across experiments
 * @returns undefined where it was refused
 */
export function compileMatcher(
  file: MatcherFile,
  attribute: string,
  path: Path,
  refuse: Refuse,
): Matcher | undefined {
  if (typeof file !== 'object') return oneOf([String(file)]);
  const { seed, ...operators } = file;
  const given = Object.keys(operators);
  const [operator] = given;
  if (operator === undefined || given.length > 1) {
    refuse(path, `has ${given.join(' and ') || 'no condition'}; expected ${MATCHER}`);
    return undefined;
  }
  if (seed !== undefined && file.percentage === undefined) {
    refuse([...path, 'seed'], 'goes with percentage only');
    return undefined;
  }
  if (file.exact !== undefined) return oneOf([String(file.exact)]);
  if (file.in !== undefined) return oneOf(file.in.map(String));
  if (file.prefix !== undefined) return startingWith(file.prefix);
  if (file.regex !== undefined) {
    const pattern = compilePattern(file.regex);
    if (typeof pattern === 'string') {
      refuse([...path, operator], `is no pattern of RE2's syntax: ${pattern}`);
      return undefined;
    }
    const spec = { op: 'regex', pattern: file.regex } as const;
    return { spec, matches: (value) => value !== undefined && pattern.matches(value) };
  }
  if (file.semver !== undefined) {
    const range = parseRange(file.semver);
    if (range === undefined) {
      refuse([...path, operator], `is "${file.semver}"; expected a range of versions, as ">=2.1.0 <3"`);
      return undefined;
    }
    const spec = { op: 'semver', range: range.range } as const;
    return {
      spec,
      matches: (value) => value !== undefined && value.length <= MAX_MATCHED_CHARACTERS && range.test(value),
    };
  }
  if (file.percentage !== undefined) {
    const [from = 0, to = 0] = typeof file.percentage === 'number' ? [0, file.percentage] : file.percentage;
    if (from >= to) {
      refuse(
        [...path, operator],
        `goes from ${from} to ${to}, which is nobody; expected an end after its start`,
      );
      return undefined;
    }
    return percentage(from / 100, to / 100, seed ?? attribute);
  }
  if (file.not !== undefined) {
    const inner = compileMatcher(file.not, attribute, [...path, 'not'], refuse);
    return inner === undefined ? undefined : negate(inner);
  }
  return undefined;
}

function oneOf(values: readonly string[]): Matcher {
  const set = new Set(values);
  const spec = { op: 'in', values: [...set].sort() } as const;
  return { spec, matches: (value) => value !== undefined && set.has(value) };
}

function startingWith(prefix: string): Matcher {
  return { spec: { op: 'prefix', prefix }, matches: (value) => value?.startsWith(prefix) === true };
}

function percentage(from: number, to: number, seed: string): Matcher {
  const hashSeed = `percentage:${seed}`;
  return {
    spec: { op: 'percentage', from, to, seed },
    matches(value) {
      if (value === undefined) return false;
      const share = hashShare(hashSeed, value);
      return share >= from && share < to;
    },
  };
}

function negate(matcher: Matcher): Matcher {
  return { spec: { op: 'not', spec: matcher.spec }, matches: (value) => !matcher.matches(value) };
}

/** A range in npm's words; undefined where it is none. */
function parseRange(text: string): Range | undefined {
  try {
    return new Range(text);
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}
