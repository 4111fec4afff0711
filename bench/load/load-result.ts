export interface LoadResult {
  readonly answers: number;
  /** Answers whose status was not 200; over gRPC, not 0. */
  readonly failures: number;
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** @param latenciesMs of all answers, in any order */
export function loadResult(
  latenciesMs: readonly number[],
  failures: number,
  elapsedSeconds: number,
): LoadResult {
  const sorted = latenciesMs.toSorted((a, b) => a - b);
  const quantile = (q: number): number => sorted[Math.floor(q * (sorted.length - 1))] ?? Number.NaN;
  return {
    answers: sorted.length,
    failures,
    perSecond: sorted.length / elapsedSeconds,
    p50Ms: quantile(0.5),
    p99Ms: quantile(0.99),
  };
}
