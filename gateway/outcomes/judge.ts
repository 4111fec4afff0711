import { countedMetrics, readMetricValue } from '../../experiments/counted-metric.ts';
import type { CountedMetric } from '../../experiments/counted-metric.ts';
import type { Experiment } from '../../experiments/definition.ts';
import { DEFAULT_MAX_AGE_MS } from '../../experiments/prediction-id.ts';
import type { PredictionIds, Receipt } from '../../experiments/prediction-id.ts';
import { windowsOf } from '../../experiments/stores/ledger.ts';
import type { Principal } from '../trust/principal.ts';
import { isFor } from '../trust/rights.ts';
import type { Outcome, OutcomeStatus } from '../../experiments/stores/ledger.ts';

/** An outcome as it was sent. */
export interface SentOutcome {
  readonly prediction_id: string;
  readonly metric: string;
  readonly value: unknown;
}

/** Why an outcome was not taken, in the contract's words. */
export type RejectionCode =
  'bad_signature' | 'expired' | 'unknown_metric' | 'bad_value' | Exclude<OutcomeStatus, 'accepted'>;

export type Judged =
  | { readonly kind: 'outcome'; readonly outcome: Outcome }
  | { readonly kind: 'rejected'; readonly code: RejectionCode; readonly message: string };

/** What is looked up of an experiment for each of its outcomes. */
interface Measured {
  readonly metrics: ReadonlyMap<string, CountedMetric>;
  readonly windowsMs: readonly number[];
  /** How old a prediction may be: a week, or the longest window. */
  readonly maxAgeMs: number;
}

const measuredOf = new WeakMap<Experiment, Measured>();

function measured(experiment: Experiment): Measured {
  let found = measuredOf.get(experiment);
  if (found === undefined) {
    const metrics = countedMetrics(experiment.metrics);
    const windowsMs = windowsOf(metrics);
    found = {
      metrics: new Map(metrics.map((metric) => [metric.name, metric])),
      windowsMs,
      maxAgeMs: Math.max(DEFAULT_MAX_AGE_MS, ...windowsMs),
    };
    measuredOf.set(experiment, found);
  }
  return found;
}

/**
 * Judges an outcome by all that can be known without the store: its signature, its age, its metric and its value.
 *
 * A key for some models is told of the predictions of others what it is told of forged ones, in the same words.
 */
export function judge(
  sent: SentOutcome,
  ids: PredictionIds,
  experiments: ReadonlyMap<string, Experiment>,
  principal: Principal,
  nowMs: number,
): Judged {
  const verified = ids.verify(sent.prediction_id, nowMs, Infinity);
  if (verified.kind !== 'valid') return rejected('bad_signature', notGivenOut(principal));
  const { receipt } = verified;
  const { experiment: key } = receipt;
  const known = experiments.get(key);
  // Whose model an experiment had that is gone nobody knows any more.
  const isAnothers =
    known === undefined ? key !== '' && principal.models !== undefined : !isFor(principal, known.model);
  if (isAnothers) return rejected('bad_signature', notGivenOut(principal));
  const maxAgeMs = known === undefined ? DEFAULT_MAX_AGE_MS : measured(known).maxAgeMs;
  if (nowMs - receipt.issuedMs > maxAgeMs) {
    const issued = new Date(receipt.issuedMs).toISOString();
    return rejected(
      'expired',
      `the prediction was made at ${issued}; outcomes count for ${maxAgeMs / 3_600_000} hours`,
    );
  }
  if (!receipt.counts) return rejected('not_counted', whyNotCounted(receipt));
  if (known === undefined)
    return rejected('unknown_metric', `experiment "${key}", which made the prediction, is gone`);
  const { metrics, windowsMs } = measured(known);
  const metric = metrics.get(sent.metric);
  if (metric === undefined) {
    const names = [...metrics.keys()].join(', ') || 'none';
    const name = JSON.stringify(sent.metric.slice(0, 64));
    return rejected('unknown_metric', `experiment "${key}" has no metric ${name}; its metrics are: ${names}`);
  }
  const value = readMetricValue(metric, sent.value);
  if ('expected' in value)
    return rejected(
      'bad_value',
      `the value of metric "${metric.name}", a ${metric.kind}, is not ${value.expected}`,
    );
  const { phase, epoch, variant, unit, uid, issuedMs } = receipt;
  return {
    kind: 'outcome',
    outcome: {
      experiment: key,
      phase,
      epoch,
      variant,
      unit,
      uid,
      issuedMs,
      receivedMs: nowMs,
      expiresMs: issuedMs + maxAgeMs,
      metric,
      value,
      windowsMs,
    },
  };
}

function notGivenOut({ models }: Principal): string {
  const what = 'prediction_id is none that this gateway gave out';
  return models === undefined ? what : `${what} for an experiment that it serves on the key's models`;
}

function whyNotCounted({ experiment, variant }: Receipt): string {
  return experiment === ''
    ? 'no experiment routed the request'
    : `the request was not split: variant "${variant}" of "${experiment}" was forced, given to all, or answered for one that could not`;
}

/** What to tell of an outcome that the store did not count. */
export function statusMessage(status: Exclude<OutcomeStatus, 'accepted'>): string {
  switch (status) {
    case 'duplicate':
      return 'an outcome of this prediction and metric was taken before';
    case 'not_counted':
      return 'its unit had been given another variant before, whose first prediction counts';
  }
}

function rejected(code: RejectionCode, message: string): Judged {
  return { kind: 'rejected', code, message };
}
