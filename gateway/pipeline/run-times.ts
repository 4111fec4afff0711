import type { FailedRun } from '../../backends/errors.ts';
import type { InferAnswer } from '../../backends/inference.ts';
import { UpstreamVersion } from '../upstream/upstream-version.ts';
import type { Target } from './call.ts';

/** What is known of an answer's making: all of it, or, of one that was passed on undecoded, its times. */
export type AnswerTimes = InferAnswer | Pick<InferAnswer, 'queueMs' | 'computeMs'>;

/** The times of a request's run, or of the one that it failed in. */
export type RunTimes =
  AnswerTimes | (FailedRun & { readonly cache?: undefined; readonly cacheMs?: undefined });

/** What a run says of the version that answered, in milliseconds; undefined where it says nothing. */
export interface MeasuredRun {
  readonly queueMs: number | undefined;
  readonly computeMs: number | undefined;
  /** Undefined where it is not known which requests shared the run. */
  readonly batchId: number | undefined;
  readonly batchRows: number | undefined;
}

/** No model ran. */
export const NO_RUN: MeasuredRun = Object.freeze({
  queueMs: undefined,
  computeMs: undefined,
  batchId: undefined,
  batchRows: undefined,
});

/**
 * What may be compared with other versions' runs. An answer from a cache has none: how many hits a variant has depends on its share of the traffic, so
 * that their times would make the smaller one the slower one. How long a request waits in a server elsewhere is that server's secret.
 */
export function measuredRun({ version }: Pick<Target, 'version'>, times: RunTimes | undefined): MeasuredRun {
  if (times === undefined) return NO_RUN;
  const isElsewhere = version instanceof UpstreamVersion;
  const { computeMs } = times;
  const queueMs = isElsewhere ? undefined : times.queueMs;
  if (!('batchId' in times)) return { ...NO_RUN, queueMs, computeMs };
  const { batchId, batchRows } = times;
  return batchRows === 0 ? NO_RUN : { queueMs, computeMs, batchId, batchRows };
}
