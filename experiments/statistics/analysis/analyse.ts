import { correct } from '../corrections.ts';
import { overEpochs, populationStabilityIndex, totalVariation } from '../drift.ts';
import { healthOf } from './health.ts';
import { DEFAULT_SETTINGS } from './input.ts';
import type { AnalysisInput, AnalysisSettings, MetricPlan, MetricRole } from './input.ts';
import { measureMean } from './measure-mean.ts';
import { measureQuantile } from './measure-quantile.ts';
import type { Measured } from './measure.ts';
import type { MetricResult, Results, VariantResult } from './results.ts';
import { stateOf, statePairs } from './strata.ts';
import { decide, verdictText } from './verdict.ts';
import type { JudgedMetric } from './verdict.ts';
import { ownValue } from '../../named-values.ts';

/**
 * What an experiment says, from all that was kept of it. Pure: the same states give the same result on every replica, at every
 * look, and the always-valid parts of it hold their level over all looks together.
 *
 * The error budget: `alpha` for the goals together, corrected over goals and variants; `alpha` for the guardrails together, split
 * evenly over guardrails and variants; `alpha` for each secondary metric, which decides nothing.
 *
 * @throws RangeError when control isn't one of the variants
 * @throws TypeError when a state isn't of the kind that its metric keeps
 */
export function analyse(input: AnalysisInput): Results {
  const { control, variants, metrics } = input;
  if (!variants.includes(control)) {
    throw new RangeError(`control "${control}" is not one of the variants ${variants.join(', ')}`);
  }
  const settings = input.settings ?? DEFAULT_SETTINGS;
  const challengers = variants.filter((name) => name !== control);
  const measured = challengers.flatMap((variant) =>
    metrics.map((plan) => ({ plan, variant, measured: measure(input, settings, plan, variant) })),
  );
  const known = measured.flatMap(({ plan, measured: found }) =>
    found === undefined ? [] : [{ plan, measured: found }],
  );
  const goals = measured.filter(({ plan }) => plan.role === 'goal');
  const health = healthOf(
    input,
    settings,
    goals.every(({ measured: found }) => found?.believed === true),
  );
  const results = judge(known, input, settings);
  const decision = decide(
    health,
    control,
    challengers,
    results.map(({ result, futile }): JudgedMetric => ({
      ...result,
      unitsToGo: result.power.unitsToGo,
      futile,
    })),
    input.breached,
    (variant) => [
      ...measured
        .filter(
          (one) => one.variant === variant && one.plan.role === 'guardrail' && one.measured === undefined,
        )
        .map(({ plan }) => plan.name),
      ...(input.unfit ?? []).flatMap(({ name, role }) => (role === 'guardrail' ? [name] : [])),
    ],
  );
  return {
    experiment: input.experiment,
    phase: input.phase,
    verdict: verdictText(decision),
    decision,
    health,
    variants: variants.map((name) => variantResult(input, name)),
    metrics: results.map(({ result }) => result),
  };
}

function measure(
  input: AnalysisInput,
  settings: AnalysisSettings,
  plan: MetricPlan,
  variant: string,
): Measured | undefined {
  const { epochs, control, variants } = input;
  const tests = testsOf(input, plan.role);
  const context = {
    variant,
    settings,
    alpha: plan.role === 'secondary' ? settings.alpha : settings.alpha / tests,
    effectivePerUnit: effectivePerUnit(input, variant),
    unitsPerDay: input.unitsPerDay,
  };
  const pairs = statePairs(epochs, plan.name, control, variant);
  if (plan.type === 'quantile') return measureQuantile(plan, pairs, context);
  const allStates = epochs.flatMap((epoch) =>
    variants.flatMap((name) => stateOf(epoch, name, plan.name) ?? []),
  );
  return measureMean(plan, pairs, allStates, context);
}

/** How many tests there are of a role's metrics, over variants; those that have no values yet or none that can be analysed are some too. */
function testsOf({ metrics, unfit = [], variants }: AnalysisInput, role: MetricRole): number {
  return [...metrics, ...unfit].filter((metric) => metric.role === role).length * (variants.length - 1);
}

/** Effective units that one unit of all variants brings at the weights of the last epoch. */
function effectivePerUnit({ epochs, control }: AnalysisInput, variant: string): number {
  const weights = epochs.at(-1)?.weights ?? {};
  const total = Object.values(weights).reduce((sum, weight) => sum + weight, 0);
  const [a, b] = [(ownValue(weights, control) ?? 0) / total, (ownValue(weights, variant) ?? 0) / total];
  return a > 0 && b > 0 ? (4 * a * b) / (a + b) : 0;
}

interface Judged {
  readonly result: MetricResult;
  readonly futile: boolean;
}

/**
 * Corrects the p-values of each role's metrics over metrics and variants, and says what each came to. Those that have no values yet count too: how many there
 * are must not depend on what was seen.
 */
function judge(
  known: readonly { readonly plan: MetricPlan; readonly measured: Measured }[],
  input: AnalysisInput,
  settings: AnalysisSettings,
): readonly Judged[] {
  const adjusted = new Map<Measured, number>();
  const roles: readonly MetricRole[] = ['goal', 'secondary', 'guardrail'];
  for (const role of roles) {
    const family = known.filter(({ plan }) => plan.role === role).map(({ measured }) => measured);
    // Guardrails are split evenly, so that each has a margin's interval of its own level.
    const tests = testsOf(input, role);
    const pValues = [
      ...family.map(({ result }) => result.anytime.p),
      ...Array.from({ length: tests - family.length }, () => 1),
    ];
    const corrected =
      role === 'guardrail'
        ? family.map(({ result }) => Math.min(1, (result.anytime.p * settings.alpha) / result.alpha))
        : correct(pValues, settings.correction);
    family.forEach((measured, index) => adjusted.set(measured, corrected[index] ?? 1));
  }
  return known.map(({ plan, measured }) => {
    const adjustedP = adjusted.get(measured) ?? 1;
    return {
      futile: measured.futile,
      result: {
        ...measured.result,
        adjustedP,
        outcome: outcomeOf(plan, measured, adjustedP, settings.alpha),
      },
    };
  });
}

function outcomeOf(
  { role, direction }: MetricPlan,
  { change, isBeyondMargin }: Measured,
  adjustedP: number,
  alpha: number,
): MetricResult['outcome'] {
  if (role === 'guardrail' && isBeyondMargin) return 'worse';
  if (adjustedP >= alpha || change === 0) return 'open';
  if (change > 0 === (direction === 'increase')) return 'better';
  return role === 'guardrail' ? 'open' : 'worse';
}

function variantResult({ epochs, control }: AnalysisInput, name: string): VariantResult {
  const states = epochs.flatMap((epoch) => ownValue(epoch.variants, name) ?? []);
  const outputs = overEpochs(
    epochs.map((epoch) => ({
      control: ownValue(epoch.variants, control)?.outputs ?? {},
      variant: ownValue(epoch.variants, name)?.outputs ?? {},
    })),
  );
  const psi = populationStabilityIndex(outputs.control, outputs.variant);
  const distance = totalVariation(outputs.control, outputs.variant);
  return {
    name,
    units: states.reduce((sum, { units }) => sum + units, 0),
    exposures: states.reduce((sum, { exposures }) => sum + exposures, 0),
    drift: psi === undefined || distance === undefined ? null : { psi, totalVariation: distance },
  };
}
