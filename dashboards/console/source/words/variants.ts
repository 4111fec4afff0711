/** The name of a variant's colour: control is always the quiet one, and each of the others keeps its own. */
export function variantColor(name: string, names: readonly string[], control: string): string {
  if (name === control) return 'variant-control';
  const others = names.filter((each) => each !== control);
  return `variant-${(others.indexOf(name) % 4) + 1}`;
}
