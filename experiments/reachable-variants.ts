import type { Experiment } from './definition.ts';
import type { Variant } from './variant.ts';

/**
 * The variants that a call without an override may get, whoever makes it and whatever it holds: one whose weight is 0 gets nobody, unless units
 * or rules are sent to it by name.
 */
export function reachableVariants({
  variants,
  control,
  winner,
  forced,
  match,
}: Experiment): readonly Variant[] {
  if (forced.size > 0 || match.length > 0) return variants;
  return variants.filter(({ name, weight }) => weight > 0 || name === control.name || name === winner.name);
}
