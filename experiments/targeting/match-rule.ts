import { Type } from 'typebox';
import type { Static } from 'typebox';
import type { Path } from '../../documents/yaml-document.ts';
import type { AttributeSource, Caller } from '../attribute.ts';
import { nameSource } from '../attribute.ts';
import { InputMatchSchema, matchesInput, readInputMatch } from './input-match.ts';
import type { InputMatch } from './input-match.ts';
import { MatcherSchema, compileMatcher } from './matcher.ts';
import type { Matcher, Refuse } from './matcher.ts';

/** Any text is a key; what it may be is checked where it is read. */
const AnyKey = () => Type.String({ pattern: '^[\\s\\S]*$' });

const MatcherMap = (expected: string) => Type.Optional(Type.Record(AnyKey(), MatcherSchema, { expected }));

/** A rule of `match`: whom it concerns, and where it sends them. */
export const MatchRuleSchema = Type.Object(
  {
    headers: MatcherMap('a map from request headers to what their value has to be'),
    query: MatcherMap('a map from query parameters to what their value has to be'),
    cookies: MatcherMap('a map from cookies to what their value has to be'),
    parameters: MatcherMap("a map from the protocol's request parameters to what their value has to be"),
    apiKey: Type.Optional(MatcherSchema),
    inputs: Type.Optional(
      Type.Record(AnyKey(), InputMatchSchema, {
        expected: 'a map from input tensors to what they have to be',
      }),
    ),
    variant: Type.Optional(
      Type.String({ expected: 'the name of the variant that answers those who meet the rule' }),
    ),
  },
  {
    additionalProperties: false,
    expected: 'a map of conditions: headers, query, cookies, parameters, apiKey, inputs; and variant',
  },
);

/** A condition on a value of the request. */
export interface Condition {
  readonly source: AttributeSource;
  readonly matcher: Matcher;
}

/** All of its conditions have to hold. */
export interface MatchRule<Variant> {
  readonly conditions: readonly Condition[];
  readonly inputs: readonly InputMatch[];
  /** Who answers those who meet it; undefined: they take part in the experiment. */
  readonly variant: Variant | undefined;
}

/**
 * Reads a rule and compiles its conditions.
 *
 * @param pick finds a variant by its name, and refuses a name that there is not
 */
export function readMatchRule<Variant>(
  file: Static<typeof MatchRuleSchema>,
  path: Path,
  refuse: Refuse,
  pick: (name: string, path: Path) => Variant | undefined,
): MatchRule<Variant> {
  const conditions: Condition[] = [];
  const add = (source: AttributeSource, matcherFile: Static<typeof MatcherSchema>, at: Path): void => {
    const known = nameSource(source);
    if (conditions.some((condition) => nameSource(condition.source) === known)) {
      refuse(at, `stands beside the same ${known} in other letters; expected one of the two`);
      return;
    }
    const matcher = compileMatcher(matcherFile, known, at, refuse);
    if (matcher !== undefined) conditions.push({ source, matcher });
  };
  for (const [name, matcher] of Object.entries(file.headers ?? {})) {
    const at = [...path, 'headers', name];
    if (!/^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/.test(name)) refuse(at, 'is no name of a header');
    else if (name.toLowerCase() === 'x-experiment')
      refuse(at, 'is the override, which comes before every rule; expected another header');
    else add({ kind: 'header', name: name.toLowerCase() }, matcher, at);
  }
  for (const [name, matcher] of Object.entries(file.query ?? {})) {
    add({ kind: 'query', name }, matcher, [...path, 'query', name]);
  }
  for (const [name, matcher] of Object.entries(file.cookies ?? {})) {
    add({ kind: 'cookie', name }, matcher, [...path, 'cookies', name]);
  }
  for (const [name, matcher] of Object.entries(file.parameters ?? {})) {
    add({ kind: 'parameter', name }, matcher, [...path, 'parameters', name]);
  }
  if (file.apiKey !== undefined) add({ kind: 'apiKey' }, file.apiKey, [...path, 'apiKey']);
  const inputs = Object.entries(file.inputs ?? {}).map(([name, input]) =>
    readInputMatch(name, input, [...path, 'inputs', name], refuse),
  );
  const { variant, ...stated } = file;
  if (!Object.values(stated).some((part) => typeof part !== 'object' || Object.keys(part).length > 0)) {
    refuse(path, 'has no condition, so it concerns everybody; expected at least one, or no rule');
  }
  return {
    conditions,
    inputs,
    variant: variant === undefined ? undefined : pick(variant, [...path, 'variant']),
  };
}

export function meets({ conditions, inputs }: MatchRule<unknown>, caller: Caller): boolean {
  for (const { source, matcher } of conditions) {
    if (!matcher.matches(caller.attribute(source))) return false;
  }
  if (inputs.length === 0) return true;
  const sent = caller.inputs();
  return inputs.every((input) => matchesInput(input, sent));
}
