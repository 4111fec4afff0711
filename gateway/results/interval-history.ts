import { sharesOf } from '../../experiments/shares.ts';
import type { KnownInterval } from '../../experiments/statistics/analysis/results.ts';
import type { Reading } from './results-reader.ts';

/** What an experiment said at a moment, as far as a chart over time looks. */
export interface HistoryPoint {
  /** Milliseconds since 1970. */
  readonly atMs: number;
  readonly verdict: string;
  /** p of the sequential sample-ratio test. */
  readonly sampleRatioP: number;
  /** By variant: the planned share in force, 0 to 1, and what was counted until then. */
  readonly variants: Readonly<
    Record<string, { readonly share: number; readonly units: number; readonly requests: number }>
  >;
  /** By `metric/variant`: the lift, and the ends of its always-valid interval; null where not known. */
  readonly intervals: Readonly<
    Record<string, readonly [lift: number | null, low: number | null, high: number | null]>
  >;
}

/** How a phase went until now: points that are evenly apart, however long it runs. */
export interface IntervalHistory {
  readonly phase: number;
  /** The least time between two points, in milliseconds; it doubles whenever there are too many of them. */
  readonly everyMs: number;
  /** Oldest first; at most {@link MAX_POINTS}. */
  readonly points: readonly HistoryPoint[];
}

/** The time between two points at the beginning. */
const FIRST_INTERVAL_MS = 5000;

/** Points of a history: one for about two pixels of a chart. */
export const MAX_POINTS = 300;

/** Metrics times variants that are kept of a point. */
const MAX_INTERVALS = 24;

export function emptyHistory(phase: number): IntervalHistory {
  return { phase, everyMs: FIRST_INTERVAL_MS, points: [] };
}

/** A reading as a point. An experiment whose own metrics have no outcomes is shown by what the gateway measures. */
export function historyPoint({ atMs, experiment, results }: Reading): HistoryPoint {
  const { verdict, health, variants, metrics, builtIn } = results;
  const counts = new Map(variants.map((variant) => [variant.name, variant]));
  return {
    atMs,
    verdict,
    sampleRatioP: rounded(health.srm.p) ?? 1,
    variants: Object.fromEntries(
      sharesOf(experiment).map(({ variant, share }) => {
        const { units = 0, exposures = 0 } = counts.get(variant) ?? {};
        return [variant, { share, units, requests: exposures }];
      }),
    ),
    intervals: Object.fromEntries(
      (metrics.length > 0 ? metrics : builtIn)
        .slice(0, MAX_INTERVALS)
        .map(({ name, variant, lift, anytime }) => [
          `${name}/${variant}`,
          [rounded(lift), ...endsOf(anytime.interval)] as const,
        ]),
    ),
  };
}

function endsOf(interval: KnownInterval): readonly [number | null, number | null] {
  return interval === null ? [null, null] : [rounded(interval[0]), rounded(interval[1])];
}

/** Four digits are more than a chart shows, and keep what is stored small. */
function rounded(value: number | null): number | null {
  return value === null ? null : Number(value.toPrecision(4));
}

/** Whether a reading at that moment would add a point: the time has come, or the planned shares are others. */
export function isDue({ everyMs, points }: IntervalHistory, { atMs, variants }: HistoryTime): boolean {
  const last = points.at(-1);
  if (last === undefined || atMs - last.atMs >= everyMs) return true;
  return variants.some(({ variant, share }) => last.variants[variant]?.share !== share);
}

interface HistoryTime {
  readonly atMs: number;
  readonly variants: ReturnType<typeof sharesOf>;
}

/**
 * Adds a point. Where nothing had changed for long, the last point is repeated just before it, so that a line between the two
 * doesn't tell of a slow change; a point like the last one adds nothing.
 */
export function extended(history: IntervalHistory, point: HistoryPoint): IntervalHistory {
  const { everyMs, points } = history;
  const last = points.at(-1);
  if (last === undefined) return { ...history, points: [point] };
  if (point.atMs <= last.atMs || saysTheSame(last, point)) return history;
  const isLate = point.atMs - last.atMs > 2 * everyMs;
  return thinned({
    ...history,
    points: [...points, ...(isLate ? [{ ...last, atMs: point.atMs - everyMs }] : []), point],
  });
}

function saysTheSame(a: HistoryPoint, b: HistoryPoint): boolean {
  return JSON.stringify({ ...a, atMs: 0 }) === JSON.stringify({ ...b, atMs: 0 });
}

/** Keeps every second point, and the last one, where there are too many. */
function thinned(history: IntervalHistory): IntervalHistory {
  const { everyMs, points } = history;
  if (points.length <= MAX_POINTS) return history;
  const lastIndex = points.length - 1;
  return {
    ...history,
    everyMs: everyMs * 2,
    points: points.filter((_point, index) => index % 2 === 0 || index === lastIndex),
  };
}
