import type { Experiment } from './definition.ts';
import { murmur3 } from './murmur3.ts';

/** A stretch of an experiment in which units were split in one way. */
export interface Epoch {
  /**
   * Names the split: a 32-bit hash of all that assignment looks at. Replicas that split alike agree on it without asking
   * anybody, and weights that come back open their old epoch again, where the shares are the same as before.
   */
  readonly epoch: number;
  readonly seed: string;
  /** The share of units enrolled, 0 to 1. */
  readonly coverage: number;
  /** By the variant's name, in the order of names. */
  readonly weights: Readonly<Record<string, number>>;
}

const known = new WeakMap<Experiment, Epoch>();

/** The epoch of an experiment as it stands; an edit of weights, coverage or seed gives another. */
export function epochOf(experiment: Experiment): Epoch {
  let epoch = known.get(experiment);
  if (epoch === undefined) {
    const { seed, coverage, variants } = experiment;
    const weights = Object.fromEntries(variants.map(({ name, weight }) => [name, weight]));
    const content = JSON.stringify([seed, coverage, variants.map(({ name, weight }) => [name, weight])]);
    epoch = Object.freeze({ epoch: murmur3(content), seed, coverage, weights: Object.freeze(weights) });
    known.set(experiment, epoch);
  }
  return epoch;
}
