import type { Logger } from 'pino';
import type { Metrics } from './metrics.ts';

const TELL_DROPS_EVERY_MS = 10_000;

/** Counts drops one by one, and logs them at most once in a while. */
export function countAndTell(
  metrics: Metrics,
  log: Logger,
): (sink: string, count: number, reason: string) => void {
  const toldMs = new Map<string, number>();
  return (sink, count, reason) => {
    metrics.recordDroppedEvents(sink, count);
    const nowMs = performance.now();
    if (nowMs - (toldMs.get(sink) ?? -Infinity) < TELL_DROPS_EVERY_MS) return;
    toldMs.set(sink, nowMs);
    log.warn({ sink, count, reason }, LOST[sink] ?? 'exposures were dropped');
  };
}

const LOST: Readonly<Record<string, string>> = {
  mirrors: 'comparisons were lost',
  traces: 'spans were not delivered',
};
