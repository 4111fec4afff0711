import type { Experiment, Variant } from './definition.ts';

/** Why an `X-Experiment` request header can't be followed. */
export type OverrideFault = 'no_experiment' | 'unknown_experiment' | 'unknown_variant' | 'ambiguous_override';

export type Override =
  | { readonly kind: 'none' }
  | { readonly kind: 'forced'; readonly experiment: Experiment; readonly variant: Variant }
  | { readonly kind: 'refused'; readonly fault: OverrideFault; readonly message: string };

const NONE: Override = { kind: 'none' };

/**
 * Reads an `X-Experiment` request header: `v2`, or `digits-cnn=v2`, several separated by `;`.
 *
 * A caller may name experiments of other models too (one header for all its calls): they are checked, and have no say here.
 *
 * @param header the header's value
 * @param model the model that is called
 * @param candidates the experiments that may answer for that model; where there are several, a variant's name alone has
 *   to belong to one of them only
 * @param all every experiment that is served, by key
 * @param mayKnow whether the caller may know of a model; the experiments of another are not there for it
 */
export function readOverride(
  header: string,
  model: string,
  candidates: readonly Experiment[],
  all: ReadonlyMap<string, Experiment>,
  mayKnow: (model: string) => boolean,
): Override {
  let forced: Extract<Override, { kind: 'forced' }> | undefined;
  for (const part of header.split(';')) {
    const entry = part.trim();
    if (entry === '') continue;
    const equals = entry.indexOf('=');
    const name = entry.slice(equals + 1).trim();
    const key = equals < 0 ? undefined : entry.slice(0, equals).trim();
    const served = key === undefined ? undefined : all.get(key);
    const named = served !== undefined && mayKnow(served.model) ? served : undefined;
    if (key !== undefined && named === undefined) {
      return refused(
        'unknown_experiment',
        `unknown experiment ${quote(key)}; known experiments: ${keysOf(all, mayKnow)}`,
      );
    }
    const targets = named === undefined ? candidates : [named];
    if (targets.length === 0) {
      return refused(
        'no_experiment',
        `model "${model}" has no experiment; known experiments: ${keysOf(all, mayKnow)}`,
      );
    }
    const [found, another] = targets.flatMap((experiment) => {
      const variant = experiment.variants.find((candidate) => candidate.name === name);
      return variant === undefined ? [] : [{ kind: 'forced' as const, experiment, variant }];
    });
    if (found === undefined) return refused('unknown_variant', unknownVariant(name, targets));
    if (another !== undefined) {
      const [first, second] = [found.experiment.key, another.experiment.key];
      return refused(
        'ambiguous_override',
        `${name} is a variant of both ${first} and ${second}; write ${first}=${name} or ${second}=${name}`,
      );
    }
    if (found.experiment.model !== model) continue;
    if (!candidates.includes(found.experiment)) {
      const { key: other, status } = found.experiment;
      const answering = candidates.map((candidate) => candidate.key).join(', ') || 'none';
      return refused(
        'unknown_experiment',
        `experiment ${other} is ${status} and answers nobody; known experiments of model "${model}": ${answering}`,
      );
    }
    if (
      forced !== undefined &&
      (forced.experiment !== found.experiment || forced.variant !== found.variant)
    ) {
      return refused('ambiguous_override', contradiction(forced, found));
    }
    forced = found;
  }
  return forced ?? NONE;
}

type Forced = Pick<Extract<Override, { kind: 'forced' }>, 'experiment' | 'variant'>;

function contradiction(first: Forced, second: Forced): string {
  return first.experiment === second.experiment
    ? `X-Experiment forces both ${first.variant.name} and ${second.variant.name} of ${first.experiment.key}`
    : `X-Experiment forces both ${first.experiment.key}=${first.variant.name} and ` +
        `${second.experiment.key}=${second.variant.name}, and one experiment answers a call`;
}

function unknownVariant(name: string, targets: readonly Experiment[]): string {
  const known = targets.map(
    ({ key, variants }) =>
      `of experiment ${key}; known variants: ${variants.map((variant) => variant.name).join(', ')}`,
  );
  return `unknown variant ${quote(name)} ${known.join(', nor ')}`;
}

function keysOf(all: ReadonlyMap<string, Experiment>, mayKnow: (model: string) => boolean): string {
  const known = [...all.values()].filter(({ model }) => mayKnow(model)).map(({ key }) => key);
  return known.sort().join(', ') || 'none';
}

function refused(fault: OverrideFault, message: string): Override {
  return { kind: 'refused', fault, message };
}

/** What a caller sent, shown back without its control characters and without its length. */
function quote(text: string): string {
  return JSON.stringify(text.length > 64 ? `${text.slice(0, 64)}…` : text);
}
