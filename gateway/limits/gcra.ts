import type { Rate } from './rate.ts';

/** Whether a request may pass, and what its caller is told of the limit. */
export interface RateVerdict {
  readonly allowed: boolean;
  /** Requests that could come at once just now. */
  readonly remaining: number;
  /** Milliseconds until the whole burst is free again. */
  readonly resetMs: number;
  /** Milliseconds until this request would pass; 0 where it does, Infinity where it costs more than the burst. */
  readonly retryAfterMs: number;
}

/**
 * The generic cell rate algorithm: a bucket that leaks, kept as one number, the time at which it will be empty (the
 * "theoretical arrival time"). Exact at every moment: there is no window at whose edge twice the limit could pass.
 *
 * Source: ITU-T I.371, Annex A, the virtual scheduling algorithm.
 *
 * @param emptyAtMs the bucket's number, undefined for one that was never used
 * @param cost requests that this one counts for, >= 0
 * @returns the verdict, and the bucket's new number
 */
export function take(
  rate: Rate,
  emptyAtMs: number | undefined,
  nowMs: number,
  cost: number,
): { readonly verdict: RateVerdict; readonly emptyAtMs: number } {
  const spacingMs = rate.periodMs / rate.limit;
  const roomMs = spacingMs * rate.burst;
  const start = Math.max(nowMs, emptyAtMs ?? 0);
  const filled = start + cost * spacingMs;
  const waitMs = filled - roomMs - nowMs;
  // A thousandth of a spacing is rounding, not a request.
  const allowed = waitMs <= spacingMs / 1000;
  const next = allowed ? filled : start;
  return {
    emptyAtMs: next,
    verdict: {
      allowed,
      remaining: Math.max(0, Math.floor((roomMs - (next - nowMs)) / spacingMs + 1e-3)),
      resetMs: next - nowMs,
      retryAfterMs: allowed ? 0 : cost > rate.burst ? Infinity : waitMs,
    },
  };
}
