import type { Experiment } from '../definition.ts';
import { epochOf } from '../epoch.ts';
import { analyse } from '../statistics/analysis/analyse.ts';
import { DEFAULT_SETTINGS } from '../statistics/analysis/input.ts';
import type {
  AnalysisInput,
  Breakdown,
  EpochState,
  UnfitMetric,
  VariantState,
} from '../statistics/analysis/input.ts';
import type { MetricResult, Results } from '../statistics/analysis/results.ts';
import type { AssignmentCounts } from '../statistics/sample-ratio.ts';
import type { EpochTally, Tallies, UntestedTally, VariantTally } from '../stores/tallies.ts';
import type { MirrorResult } from './mirror-results.ts';
import { metricState, refuseFlattened, UnfitTally } from './metric-states.ts';
import { allocationResult } from './allocation-result.ts';
import type { AllocationResult } from './allocation-result.ts';
import { driftResults } from './drift-results.ts';
import { BUILT_IN_PLANS, planMetrics } from './metric-plan.ts';
import type { LeftOut, PlannedMetric } from './metric-plan.ts';
import { allThresholdResults } from './threshold-results.ts';
import type { ThresholdResult } from './threshold-results.ts';
import { ownValue } from '../named-values.ts';

/** What an experiment says, with what was counted and is not tested. */
export interface ExperimentResults extends Results {
  /** What the gateway measures without outcomes, corrected among themselves; it decides nothing. */
  readonly builtIn: readonly MetricResult[];
  /** How each variant stands against the guardrails' fixed values. */
  readonly thresholds: readonly ThresholdResult[];
  /** How a bandit moves the weights; null where they are fixed. */
  readonly allocation: AllocationResult | null;
  /** Outcomes that are shown and not tested, by variant, then by metric. */
  readonly untested: Readonly<Record<string, Readonly<Record<string, UntestedTally>>>>;
  /** Metrics that are not analysed, and why. */
  readonly leftOut: readonly LeftOut[];
}

/** Whether the variants take and give what the control does, as their models are loaded now. */
export interface SignatureHealth {
  /** Whether callers may send all variants the same. */
  readonly ok: boolean;
  /** Each variant that differs, and how, also where nobody is turned away for it. */
  readonly misfits: readonly { readonly variant: string; readonly message: string }[];
}

/** What is answered of an experiment: what it says, what its mirrors have shown, and whether its variants fit each other. */
export interface PublishedResults extends ExperimentResults {
  readonly health: ExperimentResults['health'] & { readonly signatures: SignatureHealth };
  /** A result for each pair of a variant and a shadow. */
  readonly mirrors: readonly MirrorResult[];
}

/**
 * Analyses what a store has of an experiment's phase.
 *
 * @param tallies of the experiment's own phase
 * @param nowMs milliseconds since 1970: today, by UTC, is not a whole day of traffic yet
 */
export function experimentResults(
  experiment: Experiment,
  tallies: Tallies,
  nowMs: number,
): ExperimentResults {
  const planned = planMetrics(experiment);
  const epochs = inForceLast(tallies.epochs, experiment);
  const own = analysable(planned, epochs);
  const builtIn = analysable(BUILT_IN_PLANS, epochs);
  const input = inputOf(experiment, epochs, nowMs);
  const thresholds = allThresholdResults(experiment, tallies);
  const breached = thresholds.filter(({ outcome }) => outcome === 'beyond').map(({ variant }) => variant);
  const results = analyse({
    ...withMetrics(input, own.fit, epochs),
    breached,
    unfit: unfitOf(planned, own.fit),
  });
  const drift = driftResults(experiment.metrics, experiment.control.name, results.variants);
  return {
    ...results,
    metrics: [...results.metrics, ...drift],
    builtIn: analyse({
      ...withMetrics(input, builtIn.fit, epochs),
      unfit: unfitOf(BUILT_IN_PLANS, builtIn.fit),
    }).metrics,
    thresholds,
    allocation: allocationResult(experiment, tallies),
    untested: tallies.untested,
    leftOut: own.leftOut,
  };
}

/** How guardrails are analysed beside an experiment's own results. */
export interface GuardrailOptions {
  /** The names of those who are compared, of all the variants that units are split over. */
  readonly control: string;
  readonly variant: string;
  /** The level of all guardrails together. */
  readonly alpha: number;
  /** `current`: only what came since the weights are what they are now. */
  readonly epochs: 'all' | 'current';
}

/** What nobody reads should cost little: the posterior of a lift is quicker to compute than those of two proportions. */
const UNASKED_PRIOR = { mean: 0, deviation: 10 };

/**
 * What the guardrails of an experiment say of one variant, and whether its numbers can be believed.
 *
 * @param experiment as it is in force, with all its variants: they name the epoch
 */
export function guardrailResults(
  experiment: Experiment,
  tallies: Tallies,
  nowMs: number,
  { control, variant, alpha, epochs: wanted }: GuardrailOptions,
): Results {
  const planned = planMetrics(experiment).filter(({ plan }) => plan.role === 'guardrail');
  const all = inForceLast(tallies.epochs, experiment);
  // One epoch alone is the first of its analysis.
  const epochs = wanted === 'all' ? all : all.slice(-1).map((epoch) => ({ ...epoch, position: 0 }));
  const { fit } = analysable(planned, epochs);
  const input = withMetrics(inputOf(experiment, epochs, nowMs), fit, epochs);
  const settings = { ...DEFAULT_SETTINGS, alpha, prior: UNASKED_PRIOR };
  const compared = { control, variants: [control, variant], awaited: 'guardrail' as const };
  return analyse({ ...input, ...compared, settings, unfit: unfitOf(planned, fit) });
}

/** The metrics that can't be analysed. */
function unfitOf(planned: readonly PlannedMetric[], fit: readonly PlannedMetric[]): readonly UnfitMetric[] {
  return planned.filter((metric) => !fit.includes(metric)).map(({ plan }) => plan);
}

/** What the metrics of an experiment's file are analysed from. */
export function analysisInput(experiment: Experiment, tallies: Tallies, nowMs: number): AnalysisInput {
  const epochs = inForceLast(tallies.epochs, experiment);
  const { fit } = analysable(planMetrics(experiment), epochs);
  return withMetrics(inputOf(experiment, epochs, nowMs), fit, epochs);
}

interface KnownEpoch extends EpochTally {
  readonly split: NonNullable<EpochTally['split']>;
  /** Its place in the order in which epochs were first seen, which it keeps when it comes back. */
  readonly position: number;
}

/** The epochs whose shares are known; the one in force comes last, though it may have been there before. */
function inForceLast(epochs: readonly EpochTally[], experiment: Experiment): readonly KnownEpoch[] {
  const { epoch, ...split } = epochOf(experiment);
  const known = epochs.flatMap((tally, position): readonly KnownEpoch[] =>
    tally.split === undefined ? [] : [{ ...tally, split: tally.split, position }],
  );
  const current = known.find((tally) => tally.epoch === epoch) ?? {
    epoch,
    split,
    position: epochs.length,
    variants: {},
  };
  return [...known.filter((tally) => tally.epoch !== epoch), current];
}

function analysable(
  metrics: readonly PlannedMetric[],
  epochs: readonly KnownEpoch[],
): { readonly fit: readonly PlannedMetric[]; readonly leftOut: readonly LeftOut[] } {
  const leftOut: LeftOut[] = [];
  const fit = metrics.filter((metric) => {
    try {
      const states = epochs.flatMap(({ variants }) =>
        Object.values(variants).flatMap(({ metrics: tallied }) => {
          const tally = ownValue(tallied, metric.tally);
          return tally === undefined ? [] : [metricState(metric, tally)];
        }),
      );
      refuseFlattened(metric, states);
      return true;
    } catch (error) {
      if (!(error instanceof UnfitTally)) throw error;
      leftOut.push({ metric: metric.plan.name, reason: error.message });
      return false;
    }
  });
  return { fit, leftOut };
}

function inputOf(
  { key, phase, control, variants }: Experiment,
  epochs: readonly KnownEpoch[],
  nowMs: number,
): Omit<AnalysisInput, 'metrics' | 'epochs'> {
  const counted = epochs.flatMap((epoch) => Object.values(epoch.variants));
  const unitsPerDay = averageOfWholeDays(counted, new Date(nowMs).toISOString().slice(0, 10));
  return {
    experiment: key,
    phase,
    control: control.name,
    variants: variants.map(({ name }) => name),
    requests: {
      all: counted.reduce((sum, { requests, uncounted }) => sum + requests + total(uncounted), 0),
      overridden: counted.reduce((sum, { uncounted }) => sum + (uncounted.override ?? 0), 0),
    },
    breakdowns: {
      day: breakdownBy(epochs, ({ unitsByDay }) => unitsByDay),
      key: breakdownBy(epochs, ({ unitsByKey }) => unitsByKey),
    },
    ...(unitsPerDay !== undefined && { unitsPerDay }),
  };
}

function withMetrics(
  input: Omit<AnalysisInput, 'metrics' | 'epochs'>,
  metrics: readonly PlannedMetric[],
  epochs: readonly KnownEpoch[],
): AnalysisInput {
  return {
    ...input,
    metrics: metrics.map(({ plan }) => plan),
    epochs: epochs.map(({ split, position, variants }): EpochState => ({
      position,
      weights: split.weights,
      variants: Object.fromEntries(
        Object.entries(variants).map(([name, tally]) => [name, variantState(tally, metrics)]),
      ),
    })),
  };
}

function variantState(tally: VariantTally, metrics: readonly PlannedMetric[]): VariantState {
  const judged = tally.metrics.client_error_rate;
  return {
    units: tally.units,
    exposures: tally.requests,
    ...(judged !== undefined && { judged: [judged.units, judged.sumX] as const }),
    outputs: tally.outputs,
    models: tally.models,
    metrics: Object.fromEntries(
      metrics.flatMap((metric) => {
        const sums = ownValue(tally.metrics, metric.tally);
        return sums === undefined ? [] : [[metric.plan.name, metricState(metric, sums)]];
      }),
    ),
  };
}

/** First exposures of each part of the traffic, one entry for each epoch that the part was seen in. */
function breakdownBy(
  epochs: readonly KnownEpoch[],
  partsOf: (tally: VariantTally) => Readonly<Record<string, number>>,
): Breakdown {
  const breakdown = new Map<string, AssignmentCounts[]>();
  for (const { split, variants } of epochs) {
    const entries = Object.entries(variants);
    const names = new Set(entries.flatMap(([, tally]) => Object.keys(partsOf(tally))));
    for (const name of names) {
      const units = Object.fromEntries(
        entries.map(([variant, tally]) => [variant, ownValue(partsOf(tally), name) ?? 0]),
      );
      breakdown.set(name, [...(breakdown.get(name) ?? []), { weights: split.weights, units }]);
    }
  }
  return Object.fromEntries(breakdown);
}

/** Days that say what traffic is like now. */
const RECENT_DAYS = 7;

/** New units a day over the last whole days; undefined on the first day. */
function averageOfWholeDays(tallies: readonly VariantTally[], today: string): number | undefined {
  const byDay = new Map<string, number>();
  for (const { unitsByDay } of tallies) {
    for (const [day, units] of Object.entries(unitsByDay)) byDay.set(day, (byDay.get(day) ?? 0) + units);
  }
  const recent = [...byDay]
    .filter(([day]) => day < today)
    .sort(([a], [b]) => (a < b ? 1 : -1))
    .slice(0, RECENT_DAYS);
  return recent.length === 0 ? undefined : recent.reduce((sum, [, units]) => sum + units, 0) / recent.length;
}

function total(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}
