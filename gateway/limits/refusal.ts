import { GatewayError } from '../errors.ts';
import { sizeOf } from './bucket.ts';
import type { Standing } from './bucket.ts';
import type { Rate } from './rate.ts';

/** What a request counts for: 1, or its rows. */
export type Cost = 'rows' | 'requests';

/** `RateLimit-Limit`, `RateLimit-Remaining` and `RateLimit-Reset`, whose unit is seconds. */
export function rateHeaders({ bucket, remaining, resetMs }: Standing): Readonly<Record<string, string>> {
  return {
    'ratelimit-limit': String(sizeOf(bucket)),
    'ratelimit-remaining': String(remaining),
    'ratelimit-reset': seconds(resetMs),
  };
}

/** The answer to a request that a limit holds back. */
export function refusalOf(standing: Standing, cost: Cost): GatewayError {
  const { bucket, retryAfterMs } = standing;
  const isEver = retryAfterMs < Infinity;
  const headers = {
    ...rateHeaders(standing),
    // To try again as it is would never help.
    ...(isEver && { 'retry-after': seconds(retryAfterMs) }),
  };
  const hint = isEver ? `try again in ${seconds(retryAfterMs)} s` : 'send fewer at once';
  return bucket.period === 'day'
    ? new GatewayError(
        'quota_exceeded',
        `${bucket.whose} may send ${bucket.limit} ${cost} a day (UTC); ${hint}`,
        {
          headers,
        },
      )
    : new GatewayError('rate_limited', `${bucket.whose} may send ${describe(bucket.rate, cost)}; ${hint}`, {
        headers,
      });
}

/** @param limit requests that may be under way at once */
export function concurrencyRefusal(whose: string, limit: number): GatewayError {
  return new GatewayError(
    'concurrency_limited',
    `${whose} may have ${limit} requests under way at once; wait for the answer to one of them`,
    { headers: { 'retry-after': '1' } },
  );
}

function seconds(ms: number): string {
  return String(Math.max(1, Math.ceil(ms / 1000)));
}

function describe({ limit, periodMs, burst }: Rate, cost: Cost): string {
  const period = { 1000: 'a second', 60_000: 'a minute', 3_600_000: 'an hour', 86_400_000: 'a day' }[
    periodMs
  ];
  return `${limit} ${cost} ${period ?? `in ${periodMs} ms`}, ${burst} of them at once`;
}
