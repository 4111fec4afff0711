import type { CountedMetric } from '../../../experiments/counted-metric.ts';
import { windowsOf } from '../../../experiments/stores/ledger.ts';
import type { ExposureBatch, Outcome, UnitExposure } from '../../../experiments/stores/ledger.ts';

export const HOUR_MS = 3_600_000;
export const START_MS = Date.UTC(2026, 10, 22, 12);

export const CORRECT: CountedMetric = {
  name: 'correct',
  kind: 'proportion',
};
export const REVENUE: CountedMetric = {
  name: 'revenue',
  kind: 'mean',
  windowMs: HOUR_MS,
  cap: 100,
};
export const CLICKS: CountedMetric = {
  name: 'clicks',
  kind: 'ratio',
  windowMs: HOUR_MS,
};
export const BOUGHT: CountedMetric = {
  name: 'bought',
  kind: 'proportion',
  windowMs: HOUR_MS,
};
export const SCORE: CountedMetric = {
  name: 'score',
  kind: 'quantile',
  windowMs: 24 * HOUR_MS,
};
/** Two metrics of the first exposure, the one the other's covariate. */
export const SPENT: CountedMetric = { name: 'spent', kind: 'mean', covariate: 'spent_before' };
export const BEFORE: CountedMetric = { name: 'spent_before', kind: 'mean', adjusts: [SPENT] };
export const METRICS = [CORRECT, REVENUE, CLICKS, BOUGHT, SCORE];
const EPOCH = { epoch: 7, seed: 'digits-cnn', coverage: 1, weights: { v1: 90, v2: 10 } };

let lastName = 0;

/** Every test has an experiment of its own, so that one store serves them all. */
export function newExperiment(): string {
  return `experiment-${process.pid}-${++lastName}`;
}

export function exposure(experiment: string, changes: Partial<UnitExposure> = {}): UnitExposure {
  return {
    experiment,
    phase: 1,
    epoch: EPOCH.epoch,
    variant: 'v1',
    unit: 'aaaaaaaa00000001',
    uid: '0000000000000001',
    atMs: START_MS,
    keyId: '',
    values: {},
    windowsMs: windowsOf(METRICS),
    ...changes,
  };
}

export function batch(experiment: string, ...units: readonly UnitExposure[]): ExposureBatch {
  return { epochs: [{ experiment, phase: 1, ...EPOCH }], requests: [], units };
}

export function outcome(experiment: string, changes: Partial<Outcome> = {}): Outcome {
  return {
    experiment,
    phase: 1,
    epoch: EPOCH.epoch,
    variant: 'v1',
    unit: 'aaaaaaaa00000001',
    uid: '0000000000000001',
    issuedMs: START_MS,
    receivedMs: START_MS + 1000,
    expiresMs: START_MS + 7 * 24 * HOUR_MS,
    metric: CORRECT,
    value: { x: 1, y: 1 },
    windowsMs: windowsOf(METRICS),
    ...changes,
  };
}
