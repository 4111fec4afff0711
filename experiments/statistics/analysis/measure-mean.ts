import { betaPosterior, compareProportions } from '../bayesian/beta-posterior.ts';
import { normalPosterior } from '../bayesian/normal-posterior.ts';
import {
  compareArms,
  difference,
  effectiveUnitsToBelieve,
  excessOver,
  isLiftBelieved,
  liftInterval,
  relativeLift,
} from '../estimates/comparison.ts';
import type { Comparison } from '../estimates/comparison.ts';
import { welch } from '../estimates/welch.ts';
import { confidenceSequence, sequenceBoundary } from '../sequential/confidence-sequence.ts';
import type { MetricState } from '../states/metric-state.ts';
import { forecast, NO_FORECAST } from './forecast.ts';
import type { AnalysisSettings, MetricPlan } from './input.ts';
import { isFutile, minimumEffectOf } from './measure.ts';
import type { Measured, MeasureContext } from './measure.ts';
import { knownInterval } from './results.ts';
import type { MetricResult } from './results.ts';
import { meanStrata } from './strata.ts';
import type { StatePair } from './strata.ts';

/** Every metric but quantiles: a mean of one value per unit, or a ratio of two. */
export type MeanPlan = Exclude<MetricPlan, { readonly type: 'quantile' }>;

/**
 * Measures a metric that is a mean, a count, a proportion or a ratio.
 *
 * @param allStates of every variant and epoch
 * @returns undefined while no epoch has two units in both arms
 */
export function measureMean(
  plan: MeanPlan,
  pairs: readonly StatePair[],
  allStates: readonly MetricState[],
  context: MeasureContext,
): Measured | undefined {
  const { settings, alpha, variant } = context;
  const { strata, adjustment } = meanStrata(plan, pairs, allStates);
  const comparison = compareArms(strata);
  if (comparison === undefined) return undefined;

  const effect = difference(comparison);
  const lift = relativeLift(comparison);
  const { degreesOfFreedom, effectiveUnits } = comparison;
  const tuning = { plannedTime: settings.plannedUnits, alpha: settings.alpha };
  const toBelieve = effectiveUnitsToBelieve(comparison);
  const believed = effectiveUnits >= toBelieve;
  const sequence = believed ? confidenceSequence(effect, effectiveUnits, alpha, tuning) : undefined;
  const reach = sequence === undefined ? Infinity : sequenceBoundary(effectiveUnits, alpha, tuning);
  const interval = knownInterval(
    sequence !== undefined && isLiftBelieved(comparison) ? liftInterval(comparison, reach) : undefined,
  );
  const fixed = welch(effect, degreesOfFreedom, alpha);

  return {
    believed,
    futile: isFutile(interval, plan.direction, minimumEffectOf(plan)),
    change: effect.estimate,
    isBeyondMargin: isBeyondMargin(plan, comparison, reach),
    result: {
      name: plan.name,
      role: plan.role,
      variant,
      estimate: comparison.variant,
      control: comparison.control,
      units: comparison.controlUnits + comparison.variantUnits,
      lift: lift?.estimate ?? null,
      alpha,
      welch: knownInterval(lift === undefined ? undefined : welch(lift, degreesOfFreedom, alpha)?.interval),
      welchP: fixed?.p ?? 1,
      anytime: { interval, p: sequence?.p ?? 1 },
      difference: {
        estimate: effect.estimate,
        welch: knownInterval(fixed?.interval),
        anytime: knownInterval(sequence?.interval),
      },
      ...beliefs(plan, comparison, settings),
      varianceReduction: adjustment?.varianceReduction ?? null,
      power: powerOf(plan, comparison, toBelieve, context),
    },
  };
}

/** @param reach of the sequence's interval, in standard errors */
function isBeyondMargin({ direction, margin = 0 }: MeanPlan, comparison: Comparison, reach: number): boolean {
  const worsening = direction === 'increase' ? -1 : 1;
  const { estimate, standardError } = excessOver(comparison, worsening * margin);
  return worsening * estimate > reach * standardError;
}

function powerOf(
  plan: MeanPlan,
  comparison: Comparison,
  toBelieve: number,
  { settings, alpha, effectivePerUnit, unitsPerDay }: MeasureContext,
): MetricResult['power'] {
  const { estimate, standardError } = difference(comparison);
  const baseline = comparison.control;
  if (baseline === 0 || standardError === 0) return NO_FORECAST;
  const ahead = forecast(
    {
      effectiveUnits: comparison.effectiveUnits,
      standardError,
      estimate,
      minimumDifference: minimumEffectOf(plan) * Math.abs(baseline),
      effectiveUnitsToBelieve: toBelieve,
      effectivePerUnit,
    },
    {
      alpha,
      power: settings.power,
      tuning: { plannedTime: settings.plannedUnits, alpha: settings.alpha },
      unitsPerDay,
    },
  );
  return {
    minimumDetectableLift: ahead.minimumDetectable / Math.abs(baseline),
    unitsToGo: ahead.unitsToGo,
    daysToGo: ahead.daysToGo,
  };
}

function beliefs(
  plan: MeanPlan,
  comparison: Comparison,
  { prior, alpha }: AnalysisSettings,
): Pick<MetricResult, 'chanceToWin' | 'expectedLoss'> {
  const baseline = comparison.control;
  if (plan.type === 'proportion' && plan.covariate !== true && prior === 'flat') {
    // A stratified proportion is worth as many units of one epoch as have its variance; where all did or none, as many as there are.
    const posteriorOf = (mean: number, variance: number, units: number): ReturnType<typeof betaPosterior> => {
      const spread = mean * (1 - mean);
      const worth = spread > 0 && variance > 0 ? spread / variance : units;
      return betaPosterior(worth, worth * mean);
    };
    const { chanceToWin, expectedLoss } = compareProportions(
      posteriorOf(comparison.control, comparison.controlVariance, comparison.controlUnits),
      posteriorOf(comparison.variant, comparison.variantVariance, comparison.variantUnits),
      plan.direction,
    );
    return { chanceToWin, expectedLoss: baseline > 0 ? expectedLoss / baseline : null };
  }
  const lift = relativeLift(comparison);
  const posterior = lift === undefined ? undefined : normalPosterior(lift, plan.direction, alpha, prior);
  return { chanceToWin: posterior?.chanceToWin ?? null, expectedLoss: posterior?.expectedLoss ?? null };
}
