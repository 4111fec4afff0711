import { nameSource } from '../attribute.ts';
import { excludesInput } from './input-match.ts';
import type { Matcher, MatcherSpec } from './matcher.ts';
import type { MatchRule } from './match-rule.ts';

/**
 * Whether no value, nor a missing one, can meet both conditions.
 *
 * It is sound and not complete: true is proven, false says only that no proof was found. Two patterns, or two ranges of
 * versions, are never proven to exclude each other.
 */
export function excludes(a: Matcher, b: Matcher): boolean {
  return excludesOneWay(a, b) || excludesOneWay(b, a);
}

function excludesOneWay(a: Matcher, b: Matcher): boolean {
  const [first, second] = [a.spec, b.spec];
  // A missing value is in no list, so the list's values are all there is to try.
  if (first.op === 'in') return first.values.every((value) => !b.matches(value));
  // What isn't `not x` needs a value; so `not x` excludes it where every value it accepts is an x.
  if (second.op === 'not') return implies(first, second.spec);
  if (first.op === 'prefix' && second.op === 'prefix') {
    return !first.prefix.startsWith(second.prefix) && !second.prefix.startsWith(first.prefix);
  }
  if (first.op === 'percentage' && second.op === 'percentage') {
    return first.seed === second.seed && (first.to <= second.from || second.to <= first.from);
  }
  return false;
}

/** Whether each value that meets the first meets the second; false where it isn't proven. */
function implies(first: MatcherSpec, second: MatcherSpec): boolean {
  if (first.op === 'prefix' && second.op === 'prefix') return first.prefix.startsWith(second.prefix);
  if (first.op === 'percentage' && second.op === 'percentage') {
    return first.seed === second.seed && first.from >= second.from && first.to <= second.to;
  }
  return JSON.stringify(first) === JSON.stringify(second);
}

/** Whether no request can meet both rules: they need one attribute, or one input, on which they exclude each other. */
export function rulesExclude(a: MatchRule<unknown>, b: MatchRule<unknown>): boolean {
  const onAttribute = a.conditions.some((one) =>
    b.conditions.some(
      (other) => nameSource(one.source) === nameSource(other.source) && excludes(one.matcher, other.matcher),
    ),
  );
  return onAttribute || a.inputs.some((one) => b.inputs.some((other) => excludesInput(one, other)));
}
