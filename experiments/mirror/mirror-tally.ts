import { readHistogram } from '../stores/histogram.ts';
import type { Bucket, Histogram } from '../stores/histogram.ts';
import type { MirrorCount, MirrorPair, Side } from './mirror-fields.ts';
import { parseMirrorField } from './mirror-fields.ts';

/** Rows that a variant called `from` and its shadow `to`. */
export interface Flip {
  readonly from: string;
  readonly to: string;
  readonly rows: number;
}

/** All that is kept of a pair in a phase, as plain JSON. */
export interface MirrorTally extends MirrorPair {
  readonly counts: Readonly<Record<MirrorCount, number>>;
  /** Copies that were not sent, by their reason. */
  readonly dropped: Readonly<Record<string, number>>;
  /** Copies that were not answered, by their reason. */
  readonly failed: Readonly<Record<string, number>>;
  readonly flips: readonly Flip[];
  /** Rows by what each side said. */
  readonly categories: Readonly<Record<Side, Readonly<Record<string, number>>>>;
  /** Requests by the largest difference of a score. */
  readonly differences: Histogram;
  /** Requests by the time in the model, in milliseconds. */
  readonly computeMs: Readonly<Record<Side, Histogram>>;
  readonly largestDifference: number;
  /** How far the least alike rows' cosine is below 1. */
  readonly largestCosineGap: number;
}

/**
 * Puts a phase's sums together, a tally for each pair in the order of names.
 *
 * @param fields sums and maxima by their names
 */
export function readMirrorTallies(
  fields: Iterable<readonly [field: string, value: number]>,
): readonly MirrorTally[] {
  const drafts = new Map<string, Draft>();
  for (const [name, value] of fields) {
    const field = parseMirrorField(name);
    const [, variant, mirror] = field;
    const key = `${variant} ${mirror}`;
    let draft = drafts.get(key);
    if (draft === undefined) {
      draft = new Draft({ variant, mirror });
      drafts.set(key, draft);
    }
    switch (field[0]) {
      case 'count':
        draft.counts[field[3]] = value;
        break;
      case 'dropped':
      case 'failed':
        draft[field[0]].set(field[3], value);
        break;
      case 'flip':
        draft.flips.push({ from: field[3], to: field[4], rows: value });
        break;
      case 'category':
        draft.categories[field[3]].set(field[4], value);
        break;
      case 'difference':
        draft.differences.set(field[3], value);
        break;
      case 'compute':
        draft.compute[field[3]].set(field[4], value);
        break;
      case 'largest':
        draft.largest[field[3]] = value;
        break;
    }
  }
  return [...drafts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, draft]) => draft.finish());
}

const NOTHING: Readonly<Record<MirrorCount, number>> = {
  compared: 0,
  otherShape: 0,
  nonFiniteVariant: 0,
  nonFiniteMirror: 0,
  labelled: 0,
  same: 0,
  units: 0,
  agreeing: 0,
  elements: 0,
  sumDifference: 0,
  cosines: 0,
  sumCosine: 0,
};

class Draft {
  readonly pair: MirrorPair;
  readonly counts = { ...NOTHING };
  readonly dropped = new Map<string, number>();
  readonly failed = new Map<string, number>();
  readonly flips: Flip[] = [];
  readonly categories = { variant: new Map<string, number>(), mirror: new Map<string, number>() };
  readonly differences = new Map<Bucket, number>();
  readonly compute = { variant: new Map<Bucket, number>(), mirror: new Map<Bucket, number>() };
  readonly largest = { difference: 0, cosineGap: 0 };

  constructor(pair: MirrorPair) {
    this.pair = pair;
  }

  finish(): MirrorTally {
    return {
      ...this.pair,
      counts: this.counts,
      dropped: Object.fromEntries([...this.dropped].sort()),
      failed: Object.fromEntries([...this.failed].sort()),
      flips: this.flips.toSorted(
        (a, b) => b.rows - a.rows || (`${a.from} ${a.to}` < `${b.from} ${b.to}` ? -1 : 1),
      ),
      categories: {
        variant: Object.fromEntries(this.categories.variant),
        mirror: Object.fromEntries(this.categories.mirror),
      },
      differences: readHistogram(this.differences),
      computeMs: {
        variant: readHistogram(this.compute.variant),
        mirror: readHistogram(this.compute.mirror),
      },
      largestDifference: this.largest.difference,
      largestCosineGap: this.largest.cosineGap,
    };
  }
}
