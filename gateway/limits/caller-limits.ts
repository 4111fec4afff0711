import type { Bucket } from './bucket.ts';
import type { Rate } from './rate.ts';

/** What one caller may take. */
export interface CallerLimits {
  /** Undefined: as much as it likes. */
  readonly rate: Rate | undefined;
  /** Requests that it may have under way at once; undefined: as many as it likes. */
  readonly concurrency: number | undefined;
  /** Rows, or requests, a day (UTC); undefined: as many as it likes. */
  readonly daily: number | undefined;
}

export const UNLIMITED: CallerLimits = Object.freeze({
  rate: undefined,
  concurrency: undefined,
  daily: undefined,
});

/** @returns the caller's own limits, and where it has none those of the configuration */
export function withDefaults(own: CallerLimits, defaults: CallerLimits): CallerLimits {
  return {
    rate: own.rate ?? defaults.rate,
    concurrency: own.concurrency ?? defaults.concurrency,
    daily: own.daily ?? defaults.daily,
  };
}

/** @param name as in {@link Bucket} */
export function bucketsOf(
  kind: 'key' | 'address',
  name: string,
  whose: string,
  { rate, daily }: CallerLimits,
): readonly Bucket[] {
  const buckets: Bucket[] = [];
  if (rate !== undefined) buckets.push({ period: 'rate', kind, name: `${kind}:${name}`, whose, rate });
  if (daily !== undefined)
    buckets.push({ period: 'day', kind: 'quota', name: `${kind}:${name}`, whose, limit: daily });
  return buckets;
}
