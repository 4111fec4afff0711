import { fmix32, murmur3, murmur3Joined } from './murmur3.ts';

const TWO_TO_32 = 4294967296;

/** What assignment needs to know of a variant. */
export interface WeightedVariant {
  readonly name: string;
  /** A whole number >= 0; a variant's share is its weight over the sum of all. */
  readonly weight: number;
}

/** A unit's place in an experiment: the same on every replica and after every restart. */
export function hashUnit(seed: string, unit: string): number {
  return murmur3Joined([seed, ':', unit]);
}

/** The unit's place among those that may be enrolled: it says nothing of the one that splits. */
export function hashCoverage(seed: string, unit: string): number {
  return murmur3Joined([seed, ':coverage:', unit]);
}

/** The unit's place as a share, 0 to 1 without the end: the same unit is anywhere else under another seed. */
export function hashShare(seed: string, unit: string): number {
  return hashUnit(seed, unit) / TWO_TO_32;
}

/**
 * Whether the unit is enrolled, given the share of units that are.
 *
 * @param coverage 0 to 1
 */
export function isCovered(seed: string, unit: string, coverage: number): boolean {
  return coverage >= 1 || hashCoverage(seed, unit) / TWO_TO_32 < coverage;
}

/**
 * Splits units by weight, hash version 1: weighted rendezvous hashing, where each variant draws an exponential
 * variate of rate `weight` from the unit's hash, and the smallest wins. A change of one weight moves units only into
 * or out of that variant, and exactly the share that must move.
 *
 * Source: "Weighted Distributed Hash Tables", Schindelhauer and Schomaker, SPAA 2005 (the logarithmic method).
 *
 * @param variants in the order of their names, so that a tie goes to the first by name
 * @param unitHash from {@link hashUnit}
 * @returns the winner; undefined when no weight is above 0
 */
export function assign<Variant extends WeightedVariant>(
  variants: readonly Variant[],
  unitHash: number,
): Variant | undefined {
  let winner: Variant | undefined;
  let smallest = Infinity;
  for (const variant of variants) {
    if (variant.weight <= 0) continue;
    const draw = fmix32(unitHash ^ hashOfName(variant.name));
    const score = -Math.log2((draw + 1) / TWO_TO_32) / variant.weight;
    if (winner === undefined || score < smallest) {
      winner = variant;
      smallest = score;
    }
  }
  return winner;
}

/** Names come from configuration, so the memory is bounded by it. */
const nameHashes = new Map<string, number>();

function hashOfName(name: string): number {
  let hash = nameHashes.get(name);
  if (hash === undefined) {
    hash = murmur3(name);
    nameHashes.set(name, hash);
  }
  return hash;
}
