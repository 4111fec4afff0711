import type { Experiment } from './definition.ts';

/** The share of the enrolled units that each variant gets as things stand, 0 to 1, in the order of names. */
export function sharesOf({ status, variants, control, winner }: Experiment): readonly {
  readonly variant: string;
  readonly share: number;
}[] {
  const total = variants.reduce((sum, variant) => sum + variant.weight, 0);
  const everybody = status === 'running' ? undefined : status === 'completed' ? winner : control;
  return variants.map((variant) => ({
    variant: variant.name,
    share: everybody === undefined ? variant.weight / total : Number(variant === everybody),
  }));
}
