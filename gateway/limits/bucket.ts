import type { Rate } from './rate.ts';

/** What a bucket holds back: for messages and for the metrics' label `limit`. */
export type LimitKind = 'key' | 'address' | 'model' | 'experiment' | 'quota' | 'concurrency';

/** One limit that a request is held to, and whose it is. */
export type Bucket =
  | {
      readonly period: 'rate';
      readonly kind: LimitKind;
      /** Nobody else's: `key:10b4972d95`, `model:digits`. It is safe as a part of a Redis key. */
      readonly name: string;
      /** How messages say whose it is: `key 10b4972d95`. */
      readonly whose: string;
      readonly rate: Rate;
    }
  | {
      /** A day begins at midnight, UTC. */
      readonly period: 'day';
      readonly kind: 'quota';
      readonly name: string;
      readonly whose: string;
      /** Rows, or requests, a day; >= 1. */
      readonly limit: number;
    };

/** Where a caller stands with the limit that leaves it least room. */
export interface Standing {
  readonly bucket: Bucket;
  readonly allowed: boolean;
  /** What could come at once just now. */
  readonly remaining: number;
  /** Milliseconds until the limit is as good as new. */
  readonly resetMs: number;
  /** Milliseconds until this request would pass; 0 where it does, Infinity where it costs more than may ever come at once. */
  readonly retryAfterMs: number;
}

/** The most that may come at once. */
export function sizeOf(bucket: Bucket): number {
  return bucket.period === 'day' ? bucket.limit : bucket.rate.burst;
}

/**
 * The standing that an answer tells: of those that refuse the one that refuses longest, else the one that has least left.
 *
 * @param standings at least one
 */
export function tightest(standings: readonly Standing[]): Standing | undefined {
  let found: Standing | undefined;
  for (const standing of standings) {
    const isTighter =
      found === undefined ||
      (found.allowed === standing.allowed
        ? standing.allowed
          ? standing.remaining < found.remaining
          : standing.retryAfterMs > found.retryAfterMs
        : found.allowed);
    if (isTighter) found = standing;
  }
  return found;
}
