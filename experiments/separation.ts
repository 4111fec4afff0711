import { nameSource } from './attribute.ts';
import type { Experiment } from './definition.ts';
import { rulesExclude } from './targeting/exclusion.ts';

const ADVICE =
  'give both a part of one namespace, or match rules that exclude each other on one attribute, or make one of them a draft';

/**
 * Why it isn't proven that no call meets both experiments, and what would be right, as the end of a sentence; undefined
 * where it is.
 */
export function whyNotApart(first: Experiment, second: Experiment): string | undefined {
  const clash = forcedByBoth(first, second);
  if (clash !== undefined) return clash;
  if (rulesApart(first, second)) return undefined;
  const [one, other] = [first.namespace, second.namespace];
  if (one === undefined || other?.name !== one.name) {
    return `and nothing proves that no call meets both; ${ADVICE}`;
  }
  const [source, otherSource] = [nameSource(first.hashAttribute), nameSource(second.hashAttribute)];
  if (source !== otherSource) {
    return `and namespace "${one.name}" keeps them apart only where the unit is the same; one says ${source}, the other ${otherSource}`;
  }
  if (one.from < other.to && other.from < one.to) {
    return (
      `and their parts of namespace "${one.name}" overlap: ` +
      `[${one.from}, ${one.to}] and [${other.from}, ${other.to}]; ${ADVICE}`
    );
  }
  return undefined;
}

/** Whether each rule of the one excludes each of the other. Who isn't restricted is met by everybody. */
function rulesApart(first: Experiment, second: Experiment): boolean {
  return (
    first.isRestricted &&
    second.isRestricted &&
    first.match.every((rule) => second.match.every((other) => rulesExclude(rule, other)))
  );
}

/** Forced units come before the rules, so these can't keep them apart. */
function forcedByBoth(first: Experiment, second: Experiment): string | undefined {
  if (first.forced.size === 0 || second.forced.size === 0) return undefined;
  if (nameSource(first.hashAttribute) !== nameSource(second.hashAttribute)) {
    return 'and both force units that are named differently, so that one call can be forced by both; force them in one of the two';
  }
  const unit = [...first.forced.keys()].find((candidate) => second.forced.has(candidate));
  return unit === undefined
    ? undefined
    : `and both force the unit ${JSON.stringify(unit)}; force it in one of the two`;
}
