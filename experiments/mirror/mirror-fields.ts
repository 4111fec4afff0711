import type { Bucket } from '../stores/histogram.ts';
import type { Scope } from '../stores/ledger.ts';
import type { TallyDelta } from '../stores/tallies.ts';

/** The variant whose answer the caller got, and the shadow that got a copy of the request. */
export interface MirrorPair {
  readonly variant: string;
  readonly mirror: string;
}

/** Which of both a sum is of. */
export type Side = keyof MirrorPair;

/** Sums of a pair. */
export type MirrorCount =
  /** Requests whose answers were compared. */
  | 'compared'
  | 'otherShape'
  | 'nonFiniteVariant'
  | 'nonFiniteMirror'
  /** Rows with a label, and those in which both say the same. */
  | 'labelled'
  | 'same'
  /** Units by their first copied request, and those in all of whose rows both say the same. */
  | 'units'
  | 'agreeing'
  /** Scores that were compared, and the sum of their absolute differences. */
  | 'elements'
  | 'sumDifference'
  | 'cosines'
  | 'sumCosine';

/** The names of a pair's sums, which a store adds to; and of its maxima, of which a store keeps the largest. */
export type MirrorField =
  | readonly ['count', variant: string, mirror: string, name: MirrorCount]
  /** Copies that were not sent, and those that were not answered, by their reason. */
  | readonly ['dropped' | 'failed', variant: string, mirror: string, reason: string]
  | readonly ['flip', variant: string, mirror: string, from: string, to: string]
  | readonly ['category', variant: string, mirror: string, side: Side, category: string]
  /** Requests by their largest difference, and by the compute time of each side in milliseconds. */
  | readonly ['difference', variant: string, mirror: string, bucket: Bucket]
  | readonly ['compute', variant: string, mirror: string, side: Side, bucket: Bucket]
  | readonly ['largest', variant: string, mirror: string, name: 'difference' | 'cosineGap'];

/** What was compared in a phase since the last batch. */
export interface MirrorBatch extends Scope {
  readonly sums: readonly TallyDelta[];
  readonly maxima: readonly TallyDelta[];
}

export function mirrorField(field: MirrorField): string {
  return JSON.stringify(field);
}

/** Only {@link mirrorField} writes the names. */
export function parseMirrorField(name: string): MirrorField {
  return JSON.parse(name) as MirrorField;
}
