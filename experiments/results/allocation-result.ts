import type { Experiment } from '../definition.ts';
import type { Tallies } from '../stores/tallies.ts';

/** How a bandit stands, and why its estimates may be read all the same. */
export interface AllocationResult {
  readonly kind: 'thompson';
  readonly metric: string;
  /** In force, by variant. */
  readonly weights: Readonly<Record<string, number>>;
  /** The least and the most that a variant gets, 0 to 1. */
  readonly floor: number;
  readonly ceiling: number;
  readonly everyMs: number;
  /** Stretches of constant weights that units have entered in. */
  readonly epochs: number;
  /** How estimates stay honest while weights follow what is seen. */
  readonly note: string;
}

/** @param experiment with the weights in force */
export function allocationResult(
  { allocation, variants }: Experiment,
  tallies: Tallies,
): AllocationResult | null {
  if (allocation === undefined) return null;
  const epochs = tallies.epochs.filter((epoch) =>
    Object.values(epoch.variants).some(({ units }) => units > 0),
  ).length;
  return {
    kind: allocation.kind,
    metric: allocation.metric,
    weights: Object.fromEntries(variants.map(({ name, weight }) => [name, weight])),
    floor: allocation.floor / 100,
    ceiling: allocation.ceiling / 100,
    everyMs: allocation.everyMs,
    epochs,
    note:
      'weights follow what is seen, so variants are compared within each stretch of constant weights and the differences averaged ' +
      `(${epochs} so far); units keep the variant where they first landed, and the sample ratio is held against each stretch's own shares`,
  };
}
