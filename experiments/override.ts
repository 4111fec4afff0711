import type { Experiment, Variant } from './definition.ts';

/** Why an `X-Experiment` request header can't be followed. */
export type OverrideFault = 'no_experiment' | 'unknown_experiment' | 'unknown_variant' | 'ambiguous_override';

export type Override =
  | { readonly kind: 'none' }
  | { readonly kind: 'forced'; readonly variant: Variant }
  | { readonly kind: 'refused'; readonly fault: OverrideFault; readonly message: string };

const NONE: Override = { kind: 'none' };

/**
 * Reads an `X-Experiment` request header: `v2`, or `digits-cnn=v2`, several separated by `;`.
 *
 * A caller may name experiments of other models too (one header for all its calls): they are checked, and have no say here.
 *
 * @param header the header's value
 * @param model the model that is called
 * @param experiment the one on that model; undefined: it has none
 * @param all every experiment that is served, by key
 */
export function readOverride(
  header: string,
  model: string,
  experiment: Experiment | undefined,
  all: ReadonlyMap<string, Experiment>,
): Override {
  let forced: Variant | undefined;
  for (const part of header.split(';')) {
    const entry = part.trim();
    if (entry === '') continue;
    const equals = entry.indexOf('=');
    const name = entry.slice(equals + 1).trim();
    const key = equals < 0 ? undefined : entry.slice(0, equals).trim();
    const target = key === undefined ? experiment : all.get(key);
    if (target === undefined) {
      const known = [...all.keys()].sort().join(', ') || 'none';
      return key === undefined
        ? refused('no_experiment', `model "${model}" has no experiment; known experiments: ${known}`)
        : refused('unknown_experiment', `unknown experiment ${quote(key)}; known experiments: ${known}`);
    }
    const variant = target.variants.find((candidate) => candidate.name === name);
    if (variant === undefined) {
      const known = target.variants.map((candidate) => candidate.name).join(', ');
      return refused(
        'unknown_variant',
        `unknown variant ${quote(name)} of experiment ${target.key}; known variants: ${known}`,
      );
    }
    if (target !== experiment) continue;
    if (forced !== undefined && forced !== variant) {
      return refused(
        'ambiguous_override',
        `X-Experiment forces both ${forced.name} and ${variant.name} of ${target.key}`,
      );
    }
    forced = variant;
  }
  return forced === undefined ? NONE : { kind: 'forced', variant: forced };
}

function refused(fault: OverrideFault, message: string): Override {
  return { kind: 'refused', fault, message };
}

/** What a caller sent, shown back without its control characters and without its length. */
function quote(text: string): string {
  return JSON.stringify(text.length > 64 ? `${text.slice(0, 64)}…` : text);
}
