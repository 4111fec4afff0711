import { OTHER } from '../answers/top-label.ts';
import { bucketOf } from '../stores/histogram.ts';
import type { Scope } from '../stores/ledger.ts';
import type { Comparison } from './compare-answers.ts';
import { mirrorField } from './mirror-fields.ts';
import type { MirrorBatch, MirrorCount, MirrorField, MirrorPair, Side } from './mirror-fields.ts';
import type { MirrorTally } from './mirror-tally.ts';

/** Different label flips that are kept of a pair; further ones are counted together. */
const MOST_FLIPS = 256;

/** Different categories that are kept of each side of a pair; further ones are counted together. */
const MOST_CATEGORIES = 1024;

/** A compared request beside its comparison. */
export interface MirroredRequest {
  /** Whether it is the first copied request of its unit. */
  readonly isFirstOfUnit: boolean;
  /** Time in the model, in milliseconds; undefined where no model ran, as for an answer from a cache. */
  readonly computeMs: Readonly<Record<Side, number | undefined>>;
}

/**
 * Adds up comparisons of a phase until they go to the store. Its size is bounded, whatever models answer: a pair has at most as many
 * flips and categories as are kept.
 */
export class MirrorSums {
  readonly #scope: Scope;
  #sums = new Map<string, number>();
  #maxima = new Map<string, number>();
  /** Flips and categories that have a sum of their own, by pair and side. */
  readonly #known = new Map<string, Set<string>>();

  constructor(scope: Scope) {
    this.#scope = scope;
  }

  get isEmpty(): boolean {
    return this.#sums.size === 0;
  }

  /** Goes on with the flips and categories that a store already has, so that a restart begins no further ones. */
  know(tallies: readonly MirrorTally[]): void {
    for (const { variant, mirror, flips, categories } of tallies) {
      const pair = { variant, mirror };
      for (const { from, to } of flips) this.#kept(pair, 'flip', `${from}\n${to}`, MOST_FLIPS);
      for (const side of ['variant', 'mirror'] as const)
        for (const category of Object.keys(categories[side]))
          this.#kept(pair, side, category, MOST_CATEGORIES);
    }
  }

  add(pair: MirrorPair, comparison: Comparison, { isFirstOfUnit, computeMs }: MirroredRequest): void {
    const { isOtherShape, nonFinite, labels, categories, difference, cosines } = comparison;
    this.#count(pair, 'compared', 1);
    if (isOtherShape) this.#count(pair, 'otherShape', 1);
    if (nonFinite.answered) this.#count(pair, 'nonFiniteVariant', 1);
    if (nonFinite.mirrored) this.#count(pair, 'nonFiniteMirror', 1);
    if (labels !== undefined && labels.length > 0) {
      const flips = labels.filter(({ answered, mirrored }) => answered !== mirrored);
      this.#count(pair, 'labelled', labels.length);
      this.#count(pair, 'same', labels.length - flips.length);
      for (const { answered, mirrored } of flips) this.#countFlip(pair, answered, mirrored);
      if (isFirstOfUnit) {
        this.#count(pair, 'units', 1);
        if (flips.length === 0) this.#count(pair, 'agreeing', 1);
      }
    }
    for (const { answered, mirrored } of categories) {
      this.#countCategory(pair, 'variant', answered);
      this.#countCategory(pair, 'mirror', mirrored);
    }
    if (difference !== undefined) {
      this.#count(pair, 'elements', difference.elements);
      this.#count(pair, 'sumDifference', difference.sum);
      this.#add(['difference', pair.variant, pair.mirror, bucketOf(difference.largest)], 1);
      this.#raise(['largest', pair.variant, pair.mirror, 'difference'], difference.largest);
    }
    for (const cosine of cosines) {
      this.#count(pair, 'cosines', 1);
      this.#count(pair, 'sumCosine', cosine);
      this.#raise(['largest', pair.variant, pair.mirror, 'cosineGap'], 1 - cosine);
    }
    for (const side of ['variant', 'mirror'] as const) {
      const ms = computeMs[side];
      if (ms !== undefined) this.#add(['compute', pair.variant, pair.mirror, side, bucketOf(ms)], 1);
    }
  }

  /** @param reason of the gateway's own making, never of a request's */
  addUncompared({ variant, mirror }: MirrorPair, kind: 'dropped' | 'failed', reason: string): void {
    this.#add([kind, variant, mirror, reason], 1);
  }

  /** What has been added up since it was last taken. */
  take(): MirrorBatch {
    const batch = { ...this.#scope, sums: [...this.#sums], maxima: [...this.#maxima] };
    this.#sums = new Map();
    this.#maxima = new Map();
    return batch;
  }

  #count({ variant, mirror }: MirrorPair, name: MirrorCount, amount: number): void {
    this.#add(['count', variant, mirror, name], amount);
  }

  #countFlip(pair: MirrorPair, from: string, to: string): void {
    const isKept = this.#kept(pair, 'flip', `${from}\n${to}`, MOST_FLIPS);
    this.#add(['flip', pair.variant, pair.mirror, isKept ? from : OTHER, isKept ? to : OTHER], 1);
  }

  #countCategory(pair: MirrorPair, side: Side, category: string): void {
    const isKept = this.#kept(pair, side, category, MOST_CATEGORIES);
    this.#add(['category', pair.variant, pair.mirror, side, isKept ? category : OTHER], 1);
  }

  /** Whether a flip or a category has a sum of its own, or may get one. */
  #kept({ variant, mirror }: MirrorPair, what: 'flip' | Side, name: string, most: number): boolean {
    const key = `${variant} ${mirror} ${what}`;
    const known = this.#known.get(key) ?? new Set();
    this.#known.set(key, known);
    if (known.has(name)) return true;
    if (known.size >= most) return false;
    known.add(name);
    return true;
  }

  #add(field: MirrorField, amount: number): void {
    const name = mirrorField(field);
    this.#sums.set(name, (this.#sums.get(name) ?? 0) + amount);
  }

  #raise(field: MirrorField, value: number): void {
    const name = mirrorField(field);
    this.#maxima.set(name, Math.max(this.#maxima.get(name) ?? 0, value));
  }
}
