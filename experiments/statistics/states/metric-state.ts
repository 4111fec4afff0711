import { countValue, EMPTY_HISTOGRAM, mergeHistograms } from './log-histogram.ts';
import type { LogHistogram } from './log-histogram.ts';
import { addValue, mergeMeans, NO_VALUES } from './mean-state.ts';
import type { MeanState } from './mean-state.ts';
import { addPair, mergePairs, NO_PAIRS } from './pair-state.ts';
import type { PairState } from './pair-state.ts';

/**
 * What is kept of a metric, for one variant in one epoch: plain JSON, of fixed size, which merges across replicas.
 *
 * - `proportion`: units that did, of all units
 * - `mean`: moments of one value per unit
 * - `pair`: moments of two values per unit: `x` is a ratio's numerator or an outcome, `y` its denominator or covariate
 * - `histogram`: values in buckets 1 % wide, for quantiles, and for means that are winsorised when they are read
 */
export type MetricState =
  | { readonly kind: 'proportion'; readonly units: number; readonly successes: number }
  | { readonly kind: 'mean'; readonly moments: MeanState }
  | { readonly kind: 'pair'; readonly moments: PairState }
  | { readonly kind: 'histogram'; readonly histogram: LogHistogram };

export type StateKind = MetricState['kind'];

export function emptyState(kind: StateKind): MetricState {
  switch (kind) {
    case 'proportion':
      return { kind, units: 0, successes: 0 };
    case 'mean':
      return { kind, moments: NO_VALUES };
    case 'pair':
      return { kind, moments: NO_PAIRS };
    case 'histogram':
      return { kind, histogram: EMPTY_HISTOGRAM };
  }
}

/** One unit's observation. `second` is the denominator or the covariate of a pair. */
export interface Observation {
  readonly value: number;
  readonly second?: number;
}

/**
 * The state with one more unit.
 *
 * @throws RangeError when the value is not one that the state takes
 */
export function observe(state: MetricState, { value, second }: Observation): MetricState {
  if (!Number.isFinite(value)) throw new RangeError(`an outcome is a finite number, not ${value}`);
  switch (state.kind) {
    case 'proportion':
      if (value !== 0 && value !== 1) throw new RangeError(`a proportion takes 0 or 1, not ${value}`);
      return { kind: 'proportion', units: state.units + 1, successes: state.successes + value };
    case 'mean':
      return { kind: 'mean', moments: addValue(state.moments, value) };
    case 'pair':
      if (second === undefined || !Number.isFinite(second)) {
        throw new RangeError(
          `a ratio or a covariate takes two finite numbers, not ${value} and ${second ?? 'none'}`,
        );
      }
      return { kind: 'pair', moments: addPair(state.moments, value, second) };
    case 'histogram':
      return { kind: 'histogram', histogram: countValue(state.histogram, value) };
  }
}

/**
 * The state of the units of both.
 *
 * @throws TypeError when they are not of one kind
 */
export function mergeStates(a: MetricState, b: MetricState): MetricState {
  if (a.kind === 'proportion' && b.kind === 'proportion') {
    return { kind: 'proportion', units: a.units + b.units, successes: a.successes + b.successes };
  }
  if (a.kind === 'mean' && b.kind === 'mean') {
    return { kind: 'mean', moments: mergeMeans(a.moments, b.moments) };
  }
  if (a.kind === 'pair' && b.kind === 'pair') {
    return { kind: 'pair', moments: mergePairs(a.moments, b.moments) };
  }
  if (a.kind === 'histogram' && b.kind === 'histogram') {
    return { kind: 'histogram', histogram: mergeHistograms(a.histogram, b.histogram) };
  }
  throw mixed(a, b);
}

function mixed(a: MetricState, b: MetricState): TypeError {
  return new TypeError(`states of a metric are of one kind, and these are a ${a.kind} and a ${b.kind}`);
}
