import type { Epoch } from '../epoch.ts';
import { BUILT_IN_BY_NAME } from '../counted-metric.ts';
import type { CountedMetric, MetricValue } from '../counted-metric.ts';
import { bucketOf } from './histogram.ts';
import { metricFieldsOf, tallyDelta } from './tallies.ts';
import type { MetricSum, TallyDelta, UntestedTally } from './tallies.ts';

/** A stretch of an experiment's life in which each unit is one observation. */
export interface Scope {
  readonly experiment: string;
  readonly phase: number;
}

/** A request of a unit that may be its first in the phase. */
export interface UnitExposure extends Scope {
  readonly epoch: number;
  readonly variant: string;
  /** The unit's hashes, 16 hexadecimal digits. */
  readonly unit: string;
  /** The prediction's, 16 hexadecimal digits. */
  readonly uid: string;
  /** When it was routed, in milliseconds since 1970. */
  readonly atMs: number;
  /** The id of the key that it called with; empty without keys. */
  readonly keyId: string;
  /** The built-in metrics that are known of it, by name. */
  readonly values: Readonly<Record<string, number>>;
  /** What its answer said, in one word, for drift; left out where it said nothing that is counted. */
  readonly category?: string;
  /** The different windows of the experiment's metrics, in milliseconds. */
  readonly windowsMs: readonly number[];
}

/** Requests of one variant in one epoch that are added up before they reach the store. */
export interface RequestCounts extends Scope {
  readonly epoch: number;
  readonly variant: string;
  readonly requests: number;
  readonly unitlessRequests: number;
  readonly errors: number;
  /** Requests that don't count, by their reason. */
  readonly uncounted: Readonly<Record<string, number>>;
  /** Of `requests`, by the digest of the model that they were for. */
  readonly models: Readonly<Record<string, number>>;
}

export interface ExposureBatch {
  /** Those that the batch's requests were split in. */
  readonly epochs: readonly (Scope & Epoch)[];
  readonly requests: readonly RequestCounts[];
  readonly units: readonly UnitExposure[];
}

/** An outcome whose prediction id was verified; plain JSON, so that it can be kept on disk until the store takes it. */
export interface Outcome extends Scope {
  readonly epoch: number;
  readonly variant: string;
  /** Undefined for a request that named no unit: it is counted, and not tested. */
  readonly unit: string | undefined;
  readonly uid: string;
  /** When the prediction was made, in milliseconds since 1970. */
  readonly issuedMs: number;
  /** When the outcome came. */
  readonly receivedMs: number;
  /** Until when a second outcome of the same prediction is known to be one. */
  readonly expiresMs: number;
  readonly metric: CountedMetric;
  readonly value: MetricValue;
  /** The different windows of the experiment's metrics, in milliseconds. */
  readonly windowsMs: readonly number[];
}

/** What became of an outcome; `not_counted`: its unit had been given another variant before, and the metric has no window. */
export type OutcomeStatus = 'accepted' | 'duplicate' | 'not_counted';

/** What is kept of a unit in a phase. Names are short because there are as many of these as units. */
export interface UnitState {
  /** Its variant, epoch, first prediction and its time: those of the first exposure that reached the store. */
  readonly v: string;
  readonly e: number;
  readonly u: string;
  readonly t: number;
  /** Whether the first exposure itself was recorded; an outcome may come before it. */
  readonly x?: 1;
  /** Whether it was seen with another variant later. */
  readonly s?: 1;
  /** Values by metric. */
  readonly m?: Readonly<Record<string, UnitValue>>;
}

/**
 * A unit's value of a metric: x and y as outcomes added them up, and whether it has entered the test: 0 not yet, 1 it has, 2 its window closed without
 * a value of a distribution, which may still come from where it was kept.
 */
type UnitValue = readonly [x: number, y: number, entered: 0 | 1 | 2];

/** A step from one state of a unit to the next, and what it changes elsewhere; written together or not at all. */
export interface Step {
  /** Undefined: as it was. */
  readonly unit?: UnitState;
  readonly deltas: readonly TallyDelta[];
  /** Windows that open: the unit has to be closed at `closesMs`. */
  readonly opens?: readonly OpenWindow[];
}

export interface OpenWindow {
  readonly windowMs: number;
  readonly closesMs: number;
}

/** The sums that requests add to. */
export function countRequests(counts: RequestCounts): readonly TallyDelta[] {
  const { epoch, variant, requests, unitlessRequests, errors, uncounted, models } = counts;
  return [
    tallyDelta(['unit', epoch, variant, 'requests'], requests),
    tallyDelta(['unit', epoch, variant, 'unitlessRequests'], unitlessRequests),
    tallyDelta(['unit', epoch, variant, 'errors'], errors),
    ...Object.entries(uncounted).map(([reason, count]) =>
      tallyDelta(['uncounted', epoch, variant, reason], count),
    ),
    ...Object.entries(models).map(([digest, count]) => tallyDelta(['model', epoch, variant, digest], count)),
  ].filter(([, amount]) => amount !== 0);
}

/** A unit is exposed: the first time enters it, a later one with another variant marks it as switched. */
export function expose(unit: UnitState | undefined, exposure: UnitExposure): Step {
  const { epoch, variant, uid, atMs, keyId } = exposure;
  if (unit === undefined) {
    const entered = enter(exposure, atMs, keyId);
    const state: UnitState = { v: variant, e: epoch, u: uid, t: atMs, x: 1 };
    return { ...entered, unit: state, deltas: [...entered.deltas, ...builtInDeltas(state, exposure)] };
  }
  if (unit.u === uid && unit.x === undefined) {
    return { unit: { ...unit, x: 1 }, deltas: builtInDeltas(unit, exposure) };
  }
  if (unit.v !== variant && unit.s === undefined) {
    return { unit: { ...unit, s: 1 }, deltas: [tallyDelta(['unit', unit.e, unit.v, 'switched'], 1)] };
  }
  return { deltas: [] };
}

/**
 * The outcome of a prediction is counted; its claim, once for each prediction and metric, is the store's to make.
 *
 * What comes within a window is the unit's, whichever variant it has by then, and counts for the variant that it had first: analysed as it was
 * assigned. Left out, a unit that a change of weights moved would close its window with less than happened, and only units of the variants that shrank are moved.
 */
export function settle(
  unit: UnitState | undefined,
  outcome: Outcome,
): Step & { readonly status: OutcomeStatus } {
  const { variant, metric, value, uid } = outcome;
  const untested = (what: keyof UntestedTally, amount: number): TallyDelta =>
    tallyDelta(['untested', 0, variant, metric.name, what], amount);
  if (outcome.unit === undefined) {
    return { deltas: [untested('unitless', 1), untested('unitlessSumX', value.x)], status: 'accepted' };
  }
  // The receipt is proof of the exposure, also where its record was lost or is still under way.
  const entered = unit === undefined ? enter(outcome, outcome.issuedMs, '') : { deltas: [], opens: [] };
  const state: UnitState = unit ?? { v: variant, e: outcome.epoch, u: uid, t: outcome.issuedMs };
  const finish = (next: UnitState, deltas: readonly TallyDelta[], status: OutcomeStatus = 'accepted') => ({
    unit: next,
    deltas: [...entered.deltas, ...deltas],
    opens: entered.opens,
    status,
  });
  if (metric.windowMs === undefined) {
    if (state.v !== variant) return finish(state, [untested('switched', 1)], 'not_counted');
    // A claim that ran out doesn't make the same outcome another one.
    if (state.u === uid && valueIn(state, metric)?.[2] === 1)
      return finish(state, countDuplicate(outcome), 'duplicate');
    if (state.u !== uid) return finish(state, [untested('later', 1), untested('laterSumX', value.x)]);
    const final: UnitValue = [value.x, value.y, 1];
    const next = withValue(state, metric, final);
    return finish(next, [...contribution(next, metric, final, 1), ...adjusted(state, next, metric)]);
  }
  if (outcome.receivedMs > state.t + metric.windowMs) return finish(state, [untested('late', 1)]);
  const before = valueIn(state, metric);
  const after = accumulate(metric, before, value);
  // A value that came in time, and was kept elsewhere while the window closed, takes the place of what was entered without it.
  const left = before?.[2] === 1 ? contribution(state, metric, before, -1) : [];
  const replaced = after[2] === 1 ? [...left, ...contribution(state, metric, after, 1)] : [];
  return finish(withValue(state, metric, after), replaced);
}

/** What an outcome claims: it counts once for its prediction and metric. */
export function claimOf({ experiment, phase, uid, metric }: Outcome): string {
  return `outcome ${experiment} ${phase} ${uid} ${metric.name}`;
}

/** An outcome that was given before. */
export function countDuplicate({ variant, metric }: Outcome): readonly TallyDelta[] {
  return [tallyDelta(['untested', 0, variant, metric.name, 'duplicate'], 1)];
}

/** A unit's window has closed: its metrics with that window enter with what they added up to. */
export function closeWindow(
  unit: UnitState,
  windowMs: number,
  metrics: readonly CountedMetric[],
): Step & { readonly unit: UnitState } {
  let state = unit;
  const deltas: TallyDelta[] = [];
  for (const metric of metrics) {
    if (metric.windowMs !== windowMs) continue;
    const value = valueIn(state, metric);
    if (value !== undefined && value[2] !== 0) continue;
    // Nothing happened: that is 0 of a sum, but no value of a distribution.
    if (value === undefined && metric.kind === 'quantile') {
      state = withValue(state, metric, [0, 1, 2]);
      continue;
    }
    const final: UnitValue = [value?.[0] ?? 0, value?.[1] ?? (metric.kind === 'ratio' ? 0 : 1), 1];
    state = withValue(state, metric, final);
    deltas.push(...contribution(state, metric, final, 1));
  }
  return { unit: state, deltas };
}

/** Every distinct window of the metrics. */
export function windowsOf(metrics: readonly CountedMetric[]): readonly number[] {
  return [...new Set(metrics.flatMap(({ windowMs }) => (windowMs === undefined ? [] : [windowMs])))];
}

function enter(
  { epoch, variant, windowsMs }: Pick<UnitExposure, 'epoch' | 'variant' | 'windowsMs'>,
  atMs: number,
  keyId: string,
): { readonly deltas: readonly TallyDelta[]; readonly opens: readonly OpenWindow[] } {
  const day = new Date(atMs).toISOString().slice(0, 10);
  const deltas = [
    tallyDelta(['unit', epoch, variant, 'units'], 1),
    tallyDelta(['day', epoch, variant, day], 1),
  ];
  if (keyId !== '') deltas.push(tallyDelta(['key', epoch, variant, keyId], 1));
  return { deltas, opens: windowsMs.map((windowMs) => ({ windowMs, closesMs: atMs + windowMs })) };
}

function builtInDeltas(unit: UnitState, { values, category }: UnitExposure): readonly TallyDelta[] {
  const deltas = Object.entries(values).flatMap(([name, x]) => {
    const metric = BUILT_IN_BY_NAME.get(name);
    return metric === undefined ? [] : contribution(unit, metric, [x, 1, 1], 1);
  });
  return category === undefined ? deltas : [...deltas, tallyDelta(['output', unit.e, unit.v, category], 1)];
}

/** A proportion is whether anything happened; everything else adds up. */
function accumulate(metric: CountedMetric, before: UnitValue | undefined, value: MetricValue): UnitValue {
  const [x, y, was] = before ?? [0, metric.kind === 'ratio' ? 0 : 1, 0];
  const entered = was === 0 ? 0 : 1;
  switch (metric.kind) {
    case 'proportion':
      return [Math.max(x, value.x), y, entered];
    case 'ratio':
      return [x + value.x, y + value.y, entered];
    case 'mean':
    case 'quantile':
    case 'count':
      return [x + value.x, y, entered];
  }
}

/** Only the unit's own values: a metric may be called `constructor`. */
function valueIn({ m }: UnitState, { name }: Pick<CountedMetric, 'name'>): UnitValue | undefined {
  return m !== undefined && Object.hasOwn(m, name) ? m[name] : undefined;
}

/** A covariate that came after values that it explains: they are taken out without it, and enter again with it. */
function adjusted(
  before: UnitState,
  after: UnitState,
  { adjusts = [] }: CountedMetric,
): readonly TallyDelta[] {
  return adjusts.flatMap((metric) => {
    const value = valueIn(after, metric);
    return value?.[2] === 1
      ? [...contribution(before, metric, value, -1), ...contribution(after, metric, value, 1)]
      : [];
  });
}

/** What stands beside a unit's value: its covariate, 0 for a unit without one, where the metric has one. */
function besideIn(unit: UnitState, { covariate }: CountedMetric, y: number): number {
  return covariate === undefined ? y : (valueIn(unit, { name: covariate })?.[0] ?? 0);
}

function withValue(unit: UnitState, metric: CountedMetric, value: UnitValue): UnitState {
  return { ...unit, m: { ...unit.m, [metric.name]: value } };
}

/** What a unit's value adds to the sums of its metric, or takes from them again. */
function contribution(
  unit: UnitState,
  metric: CountedMetric,
  [rawX, ownY]: UnitValue,
  sign: 1 | -1,
): readonly TallyDelta[] {
  const { e, v } = unit;
  const y = besideIn(unit, metric, ownY);
  const x = metric.cap === undefined ? rawX : Math.min(rawX, metric.cap);
  const fields = metricFieldsOf(e, v, metric.name);
  const sum = (name: MetricSum, amount: number): TallyDelta => [fields.sums[name], sign * amount];
  const deltas = [
    sum('units', 1),
    sum('sumX', x),
    sum('sumX2', x * x),
    sum('sumX3', x ** 3),
    sum('sumY', y),
    sum('sumY2', y * y),
    sum('sumXY', x * y),
  ];
  if (metric.kind === 'ratio' || metric.covariate !== undefined) {
    deltas.push(sum('sumY3', y ** 3), sum('sumX2Y', x * x * y), sum('sumXY2', x * y * y));
  }
  if (metric.kind === 'quantile' || metric.histogram === true) {
    deltas.push([fields.bucket(bucketOf(x)), sign]);
  }
  return deltas.filter(([, amount]) => amount !== 0);
}
