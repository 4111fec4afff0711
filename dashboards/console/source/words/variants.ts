import type { VariantShape } from '../shapes.ts';

/** The name of a variant's colour: control is always the quiet one, and each of the others keeps its own. */
export function variantColor(name: string, names: readonly string[], control: string): string {
  if (name === control) return 'variant-control';
  const others = names.filter((each) => each !== control);
  return `variant-${(others.indexOf(name) % 4) + 1}`;
}

/** `version 2`, or where else it lives. */
export function whereIs({ version, upstream }: VariantShape): string {
  if (upstream === undefined) return version === undefined ? 'elsewhere' : `version ${version}`;
  const { url, model, version: there, path = '' } = upstream;
  const named = [
    ...(model === undefined ? [] : [model]),
    ...(there === undefined ? [] : [`version ${there}`]),
  ];
  return `${named.length === 0 ? '' : `${named.join(' ')} at `}${url}${path}`;
}
