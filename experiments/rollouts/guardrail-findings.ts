import type { Experiment } from '../definition.ts';
import { planMetrics } from '../results/metric-plan.ts';
import { guardrailResults } from '../results/experiment-results.ts';
import { DEFAULT_SETTINGS } from '../statistics/analysis/input.ts';
import type { MetricPlan } from '../statistics/analysis/input.ts';
import type { MetricResult } from '../statistics/analysis/results.ts';
import type { Tallies } from '../stores/tallies.ts';
import { figure, percent } from './figure.ts';
import type { Finding } from './judgement.ts';
import { weightStages } from './plan.ts';
import type { RolloutPlan } from './plan.ts';
import { ownValue } from '../named-values.ts';

/** A fixed test at this level says that something looks bad: reason to wait, and none to roll back. */
const LOOKS_BAD = 0.1;

/**
 * Compares the variant with the control, or with the baseline, by the experiment's guardrails.
 *
 * The budget of false alarms, `alpha` over the whole rollout: half of it goes to tests over everything since the rollout began, which find
 * what is wrong at all weights; the other half is split evenly over the weights of the plan, for tests over what came at each weight alone,
 * which find what is wrong only from some load on. Each half is split over the guardrails. All tests are always-valid, so
 * looks cost nothing.
 *
 * @param experiment as it is in force
 * @param alpha of all guardrails together
 */
export function guardrailFindings(
  experiment: Experiment,
  plan: RolloutPlan,
  tallies: Tallies,
  nowMs: number,
  alpha: number,
): readonly Finding[] {
  const { variant, baseline } = plan;
  const control = baseline ?? experiment.control.name;
  const planned = planMetrics(experiment).filter((metric) => metric.plan.role === 'guardrail');
  const resultsOf = (epochs: 'all' | 'current', level: number) =>
    guardrailResults(experiment, tallies, nowMs, { control, variant, alpha: level, epochs });
  const overall = resultsOf('all', alpha / 2);
  const atWeight = resultsOf('current', alpha / 2 / weightStages(plan));
  const resultOf = (results: readonly MetricResult[], name: string): MetricResult | undefined =>
    results.find((result) => result.name === name && result.variant === variant);
  const findings = planned.map(({ plan: metric }): Finding => {
    const all = resultOf(overall.metrics, metric.name);
    const here = resultOf(atWeight.metrics, metric.name);
    return guardrailFinding(metric, variant, control, all, here);
  });
  const { srm, outcomes, clientErrors } = overall.health;
  if (!srm.ok) {
    const message = `units did not fall to the variants as their weights say (sample ratio, p ${figure(srm.p)}), so nothing that was counted is believed`;
    findings.push({ source: 'health', name: 'sample_ratio', outcome: 'unhealthy', message });
  }
  if (clientErrors.worse.includes(variant)) {
    const own = ownValue(clientErrors.shares, variant) ?? 0;
    const controls = ownValue(clientErrors.shares, control) ?? 0;
    const message = `${variant} turns ${percent(own)} of the units away as mistaken, and ${control} ${percent(controls)} (p ${figure(clientErrors.p)}): it takes other requests`;
    findings.push({ source: 'health', name: 'client_errors', outcome: 'fail', message });
  }
  // How few units have an outcome by now may be due to outcomes that come late; both would have as few then.
  if (outcomes.p < DEFAULT_SETTINGS.healthAlpha) {
    const message = `outcomes are missing unevenly: ${percent(outcomes.share)} of the units have one (p ${figure(outcomes.p)})`;
    findings.push({ source: 'health', name: 'missing_outcomes', outcome: 'unhealthy', message });
  }
  return srm.ok
    ? findings
    : findings.map((finding) => (finding.outcome === 'fail' ? disbelieved(finding) : finding));
}

/** A broken split could make a good variant look bad. */
function disbelieved(finding: Finding): Finding {
  return { ...finding, outcome: 'unhealthy' };
}

function guardrailFinding(
  plan: MetricPlan,
  variant: string,
  control: string,
  all: MetricResult | undefined,
  here: MetricResult | undefined,
): Finding {
  const finding = (outcome: Finding['outcome'], message: string): Finding => ({
    source: 'guardrail',
    name: plan.name,
    outcome,
    message,
  });
  if (all === undefined) {
    return finding('no_data', `${plan.name} has no value of both ${variant} and ${control} yet`);
  }
  for (const [result, since] of [
    [all, 'since the rollout began'],
    [here, 'at this weight'],
  ] as const) {
    if (result?.outcome === 'worse')
      return finding('fail', `${text(result, control)} ${since}: worse for sure`);
  }
  const suspect = [all, here].find((result) => result !== undefined && looksBad(plan, result));
  if (suspect !== undefined)
    return finding('inconclusive', `${text(suspect, control)}: worse, which may be chance`);
  return finding('pass', text(all, control));
}

/** Whether it is worse than it may be, as far as one look at it says. */
function looksBad(plan: MetricPlan, { difference, lift, estimate, control, welchP }: MetricResult): boolean {
  const change = lift ?? difference?.estimate ?? estimate - control;
  const harm = plan.direction === 'increase' ? -change : change;
  return harm > (lift === null ? 0 : (plan.margin ?? 0)) && welchP < LOOKS_BAD;
}

function text({ name, variant, estimate, control, lift, anytime, units }: MetricResult, of: string): string {
  const change = lift === null ? '' : `, ${lift > 0 ? '+' : ''}${percent(lift)}`;
  return (
    `${name}: ${variant} ${figure(estimate)}, ${of} ${figure(control)}${change} ` +
    `over ${units} units (always-valid p ${figure(anytime.p)})`
  );
}
