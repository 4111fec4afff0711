import { isTimerMs, millisecondsOf } from './duration.ts';
import type { Refuse } from './refuse.ts';
import type { ConfigText } from './schema.ts';

export interface TimeoutsConfig {
  /** To receive a whole request; and then, for the caller, to take a long answer. */
  readonly requestMs: number;
  /** To receive a request's headers. */
  readonly headersMs: number;
  /** To receive a request's body, after its headers. */
  readonly bodyMs: number;
  /** An idle connection is closed after that. */
  readonly keepAliveMs: number;
  /** From a request, with all of its body, to its answer. */
  readonly inferenceMs: number;
  /** A run of a model that takes longer counts as hung. */
  readonly runMs: number;
  /** A run of a version that is being loaded, as a warm-up, that takes longer hangs, and the version is not loaded. */
  readonly warmupMs: number;
  /** From failing readiness to closing the listeners at SIGTERM, for balancers to notice. */
  readonly graceMs: number;
  /** To answer what is in flight when the process is told to stop. */
  readonly drainMs: number;
}

/** What a first run may take at the least, where nothing is said. */
const FIRST_RUN_MS = 120_000;

type TimeoutsText = NonNullable<ConfigText['timeouts']>;

export function readTimeouts(file: TimeoutsText, refuse: Refuse): TimeoutsConfig {
  const duration = (key: keyof TimeoutsText, fallback: string, leastMs = 1): number => {
    const text = file[key] ?? fallback;
    const ms = millisecondsOf(text);
    // One that another key stands in for is told there.
    if (file[key] !== undefined && !isTimerMs(ms, leastMs)) {
      refuse(
        ['timeouts', key],
        `is ${text}; expected whole milliseconds, from ${leastMs}ms to 24 days (576h)`,
      );
    }
    return ms;
  };
  // Nobody waits any longer for a run that has taken as long as an answer may.
  const runMs = duration('run', file.inference ?? '30s');
  return {
    requestMs: duration('request', '60s'),
    headersMs: duration('headers', '10s'),
    bodyMs: duration('body', file.request ?? '60s'),
    keepAliveMs: duration('keepAlive', '72s'),
    inferenceMs: duration('inference', '30s'),
    runMs,
    // First runs compile, and are slower than all that come after.
    warmupMs: file.warmup === undefined ? Math.max(runMs, FIRST_RUN_MS) : duration('warmup', file.warmup),
    graceMs: duration('grace', '1s', 0),
    drainMs: duration('drain', '30s'),
  };
}
