import { normalPosterior } from '../bayesian/normal-posterior.ts';
import { logQuantileError, quantileOf } from '../estimates/quantile.ts';
import { welch } from '../estimates/welch.ts';
import type { Interval } from '../estimates/welch.ts';
import { compareQuantiles, shiftBeyond } from '../sequential/quantile-sequence.ts';
import type { QuantileComparison } from '../sequential/quantile-sequence.ts';
import { histogramSize } from '../states/log-histogram.ts';
import type { LogHistogram } from '../states/log-histogram.ts';
import { forecast, NO_FORECAST } from './forecast.ts';
import type { MetricPlan } from './input.ts';
import { isFutile, minimumEffectOf } from './measure.ts';
import type { Measured, MeasureContext } from './measure.ts';
import { knownInterval } from './results.ts';
import type { StatePair } from './strata.ts';

export type QuantilePlan = Extract<MetricPlan, { readonly type: 'quantile' }>;

/** As with means, an epoch counts with n_a n_b / (n_a + n_b). */
interface WeightedStratum {
  readonly control: LogHistogram;
  readonly variant: LogHistogram;
  readonly position: number;
  readonly weight: number;
  readonly units: number;
}

/**
 * Measures a quantile, as the p99 of latency. Its lift is the ratio of both quantiles less 1, and everything but the
 * sequence is computed on the logarithm.
 *
 * @returns undefined while no epoch has values in both arms
 */
export function measureQuantile(
  plan: QuantilePlan,
  pairs: readonly StatePair[],
  context: MeasureContext,
): Measured | undefined {
  const { settings, alpha, variant } = context;
  const strata = pairs.flatMap((pair, index) => weighted(plan, pair, pair.position ?? index));
  const armOf = (arm: 'control' | 'variant'): { histogram: LogHistogram; weight: number }[] =>
    strata.map((stratum) => ({ histogram: stratum[arm], weight: stratum.weight }));
  const [control, challenger] = [armOf('control'), armOf('variant')];
  const p = plan.quantile;
  const [estimate, baseline] = [quantileOf(challenger, p), quantileOf(control, p)];
  const tuning = { plannedTime: settings.plannedUnits / 2, alpha: settings.alpha };
  const sequence = compareQuantiles(strata, p, alpha, tuning);
  if (estimate === undefined || baseline === undefined || sequence === undefined) return undefined;

  const [error, baselineError] = [logQuantileError(challenger, p), logQuantileError(control, p)];
  const effect =
    error === undefined || baselineError === undefined || estimate === 0 || baseline === 0
      ? undefined
      : { estimate: Math.log(estimate / baseline), standardError: Math.hypot(error, baselineError) };
  const fixed = effect === undefined ? undefined : welch(effect, Infinity, alpha);
  const posterior =
    effect === undefined
      ? undefined
      : normalPosterior(effect, plan.direction, settings.alpha, settings.prior);
  // Zero has no ratio to anything, nor anything a ratio to zero.
  const interval = estimate === 0 || baseline === 0 ? null : knownInterval(sequence.interval);
  const toLift = ([low, high]: Interval): Interval => [Math.expm1(low), Math.expm1(high)];
  const ahead =
    effect === undefined
      ? undefined
      : forecast(
          {
            ...effect,
            effectiveUnits: 4 * strata.reduce((sum, { weight }) => sum + weight, 0),
            minimumDifference: Math.log1p(minimumEffectOf(plan)),
            effectiveUnitsToBelieve: 0,
            effectivePerUnit: context.effectivePerUnit,
          },
          {
            alpha,
            power: settings.power,
            tuning: { plannedTime: settings.plannedUnits, alpha: settings.alpha },
            unitsPerDay: context.unitsPerDay,
          },
        );
  return {
    // The sequence is exact at any number of units.
    believed: true,
    futile: isFutile(interval, plan.direction, minimumEffectOf(plan)),
    change: estimate - baseline,
    isBeyondMargin: isBeyondMargin(plan, estimate, baseline, sequence, alpha),
    result: {
      name: plan.name,
      role: plan.role,
      variant,
      estimate,
      control: baseline,
      units: strata.reduce((sum, { units }) => sum + units, 0),
      lift: baseline === 0 ? null : estimate / baseline - 1,
      alpha,
      welch: knownInterval(fixed === undefined ? undefined : toLift(fixed.interval)),
      welchP: fixed?.p ?? 1,
      anytime: { interval, p: sequence.p },
      difference: null,
      chanceToWin: posterior?.chanceToWin ?? null,
      expectedLoss: posterior?.expectedLoss ?? null,
      varianceReduction: null,
      power:
        ahead === undefined
          ? NO_FORECAST
          : {
              minimumDetectableLift: Math.expm1(ahead.minimumDetectable),
              unitsToGo: ahead.unitsToGo,
              daysToGo: ahead.daysToGo,
            },
    },
  };
}

/** Ratios up to the margin's are ruled out, and equality, which zero has with every ratio, as well. */
function isBeyondMargin(
  { direction, margin = 0 }: QuantilePlan,
  estimate: number,
  baseline: number,
  { p, pOf }: QuantileComparison,
  alpha: number,
): boolean {
  const worsening = direction === 'increase' ? -1 : 1;
  if (worsening * (estimate - baseline * (1 + worsening * margin)) <= 0 || p >= alpha) return false;
  return margin === 0 || pOf(shiftBeyond(worsening * margin)) < alpha;
}

function weighted(
  plan: QuantilePlan,
  { control, variant }: StatePair,
  position: number,
): readonly WeightedStratum[] {
  if (control.kind !== 'histogram' || variant.kind !== 'histogram') {
    throw new TypeError(`metric "${plan.name}" of type quantile has a state of kind ${control.kind}`);
  }
  const [a, b] = [histogramSize(control.histogram), histogramSize(variant.histogram)];
  if (a === 0 || b === 0) return [];
  return [
    {
      control: control.histogram,
      variant: variant.histogram,
      position,
      weight: (a * b) / (a + b),
      units: a + b,
    },
  ];
}
