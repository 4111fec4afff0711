import { stateKindOf } from '../statistics/analysis/input.ts';
import { bucketOfPercentile, momentsCappedAt } from '../statistics/estimates/winsorise.ts';
import type { LogHistogram } from '../statistics/states/log-histogram.ts';
import type { MeanState } from '../statistics/states/mean-state.ts';
import type { MetricState } from '../statistics/states/metric-state.ts';
import { NO_PAIRS } from '../statistics/states/pair-state.ts';
import type { PairState } from '../statistics/states/pair-state.ts';
import type { Histogram } from '../stores/histogram.ts';
import type { MetricTally } from '../stores/tallies.ts';
import type { PlannedMetric } from './metric-plan.ts';

/** A metric whose sums can't be analysed; the message says why. */
export class UnfitTally extends Error {}

/**
 * A metric's state, as statistics take it, from its sums.
 *
 * @throws UnfitTally where values below zero were counted in a distribution, which has buckets for the others only, and where the sums of a ratio or
 * a covariate were begun by a release that kept fewer
 */
export function metricState({ plan, cap }: PlannedMetric, tally: MetricTally): MetricState {
  const kind = stateKindOf(plan);
  switch (kind) {
    case 'proportion':
      return { kind, units: tally.units, successes: tally.sumX };
    case 'mean':
      return {
        kind,
        moments: cap === undefined ? momentsOfX(tally) : momentsCappedAt(unsigned(tally.histogram), cap),
      };
    case 'pair':
      return { kind, moments: pairMoments(tally) };
    case 'histogram':
      return { kind, histogram: unsigned(tally.histogram) };
  }
}

/**
 * A percentile of values that are nearly all zero is zero, and capped at it every value is the same.
 *
 * @param states of all variants and epochs, as they have one cap
 * @throws UnfitTally where winsorising would leave nothing to compare
 */
export function refuseFlattened({ plan }: PlannedMetric, states: readonly MetricState[]): void {
  const share = 'winsorise' in plan ? plan.winsorise : undefined;
  if (share === undefined) return;
  const histograms = states.flatMap((state) => (state.kind === 'histogram' ? [state.histogram] : []));
  const hasValues = histograms.some(({ counts }) => Object.values(counts).some((count) => count > 0));
  if (hasValues && bucketOfPercentile(histograms, share) === -Infinity) {
    throw new UnfitTally(
      `winsorize: ${share} would cap every value at 0, as fewer than ${((1 - share) * 100).toPrecision(2)} % of the units have one above; ` +
        'write a higher quantile, or an absolute cap',
    );
  }
}

function momentsOfX({ units: n, sumX, sumX2, sumX3 }: MetricTally): MeanState {
  if (n === 0) return { n: 0, mean: 0, m2: 0, m3: 0 };
  const mean = sumX / n;
  return {
    n,
    mean,
    m2: squaredDeviations(n, sumX, sumX2),
    m3: sumX3 - 3 * mean * sumX2 + 2 * n * mean ** 3,
  };
}

function pairMoments(tally: MetricTally): PairState {
  const { units: n, sumX, sumX2, sumY, sumY2, sumXY, sumX2Y, sumY3, sumXY2 } = tally;
  if (n === 0) return NO_PAIRS;
  if (sumX2 > 0 && sumY2 > 0 && sumY3 === 0 && sumX2Y === 0 && sumXY2 === 0) {
    throw new UnfitTally(
      'its sums were begun by an older release, which did not keep how skewed it is; begin a new phase',
    );
  }
  const [x, y] = [sumX / n, sumY / n];
  return {
    x: momentsOfX(tally),
    y: {
      n,
      mean: y,
      m2: squaredDeviations(n, sumY, sumY2),
      m3: sumY3 - 3 * y * sumY2 + 2 * n * y ** 3,
    },
    comoment: sumXY - sumX * y,
    comomentXXY: sumX2Y - y * sumX2 - 2 * x * sumXY + 2 * n * x * x * y,
    comomentXYY: sumXY2 - x * sumY2 - 2 * y * sumXY + 2 * n * x * y * y,
  };
}

/**
 * The sum of squared deviations from plain sums, which cancel where values are large beside their differences. What is left
 * of it then may be rounding alone, and is taken as its largest size: a variance too large only makes intervals wider.
 */
function squaredDeviations(n: number, sum: number, sumOfSquares: number): number {
  const deviations = sumOfSquares - (sum * sum) / n;
  return deviations === 0 ? 0 : Math.max(deviations, n * Number.EPSILON * sumOfSquares);
}

function unsigned({ zeros, counts, negatives }: Histogram): LogHistogram {
  if (Object.values(negatives).some((units) => units > 0)) {
    throw new UnfitTally('it has values below zero, whose distribution is not analysed');
  }
  return { zeros, counts };
}
