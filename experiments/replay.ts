import { assign } from './assignment.ts';
import type { WeightedVariant } from './assignment.ts';
import type { ExposureLine } from './exposure-line.ts';

const TWO_TO_32 = 4294967296;

/** What a line's own weights and hashes say of its assignment. */
export type Replayed =
  /** The same variant for the same reason. */
  | { readonly kind: 'same' }
  /** Another variant than the log has. */
  | { readonly kind: 'different'; readonly expected: string }
  /** It was not split: the line alone can't tell what it should have been. */
  | { readonly kind: 'not_split' };

/** Assigns the line's unit again, by the hashes that were logged. */
export function replayLine(line: ExposureLine): Replayed {
  const { reason, variant, control, coverage, split_hash: split, coverage_hash: coverageHash } = line;
  const isCovered = coverageHash === null || coverage >= 1 || coverageHash / TWO_TO_32 < coverage;
  switch (reason) {
    case 'split': {
      if (split === null) return { kind: 'not_split' };
      const expected = isCovered ? assignedTo(line.weights, split) : control;
      return expected === variant ? { kind: 'same' } : { kind: 'different', expected };
    }
    case 'default':
      // A unit that isn't enrolled gets the control; whoever is gets it for a reason that the line doesn't have.
      if (isCovered) return { kind: 'not_split' };
      return variant === control ? { kind: 'same' } : { kind: 'different', expected: control };
    default:
      return { kind: 'not_split' };
  }
}

/** Whom weights give a unit, as the gateway assigns. */
export function assignedTo(weights: Readonly<Record<string, number>>, splitHash: number): string {
  return assign(sortedVariants(weights), splitHash)?.name ?? '';
}

const sorted = new WeakMap<object, readonly WeightedVariant[]>();

function sortedVariants(weights: Readonly<Record<string, number>>): readonly WeightedVariant[] {
  let variants = sorted.get(weights);
  if (variants === undefined) {
    variants = Object.entries(weights)
      .map(([name, weight]) => ({ name, weight }))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
    sorted.set(weights, variants);
  }
  return variants;
}

/** Units and requests that one variant had, or would have. */
export interface Share {
  readonly units: number;
  readonly requests: number;
}

/** How the split of a log would be with other weights. */
export interface WhatIf {
  /** By variant, as it was logged: the variant of a unit's last request. */
  readonly before: Readonly<Record<string, Share>>;
  /** By variant, as it would be. */
  readonly after: Readonly<Record<string, Share>>;
  readonly units: number;
  /** Units that would have another variant, by `from → to`. */
  readonly moved: Readonly<Record<string, number>>;
}

/** Adds up who would get what with other weights, one log line at a time. */
export class WhatIfReplay {
  readonly #weights: Readonly<Record<string, number>>;
  /** By unit: the variant it had, the one it would have, and its requests. */
  readonly #units = new Map<string, { before: string; readonly after: string; requests: number }>();
  #requestsWithoutUnit = 0;

  /** @param weights by variant; one that is left out has 0 */
  constructor(weights: Readonly<Record<string, number>>) {
    this.#weights = weights;
  }

  add(line: ExposureLine): void {
    const { split_hash: split, coverage_hash: coverage } = line;
    if (line.reason !== 'split' || split === null) return;
    // A request without a unit is a unit of its own.
    const name = line.unit
      ? `${line.phase} ${split} ${coverage ?? ''}`
      : `request ${++this.#requestsWithoutUnit}`;
    const known = this.#units.get(name);
    if (known === undefined) {
      const after = assignedTo(this.#weights, split);
      this.#units.set(name, { before: line.variant, after, requests: 1 });
    } else {
      known.before = line.variant;
      known.requests += 1;
    }
  }

  finish(): WhatIf {
    const before = new Map<string, Share>();
    const after = new Map<string, Share>();
    const moved = new Map<string, number>();
    const count = (shares: Map<string, Share>, variant: string, requests: number): void => {
      const share = shares.get(variant);
      shares.set(variant, {
        units: (share?.units ?? 0) + 1,
        requests: (share?.requests ?? 0) + requests,
      });
    };
    for (const unit of this.#units.values()) {
      count(before, unit.before, unit.requests);
      count(after, unit.after, unit.requests);
      if (unit.before === unit.after) continue;
      const way = `${unit.before} → ${unit.after}`;
      moved.set(way, (moved.get(way) ?? 0) + 1);
    }
    return {
      before: byName(before),
      after: byName(after),
      units: this.#units.size,
      moved: byName(moved),
    };
  }
}

function byName<Value>(map: ReadonlyMap<string, Value>): Record<string, Value> {
  return Object.fromEntries([...map].sort(([a], [b]) => (a < b ? -1 : 1)));
}
