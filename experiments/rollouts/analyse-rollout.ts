import type { Experiment } from '../definition.ts';
import { epochOf } from '../epoch.ts';
import { ownValue } from '../named-values.ts';
import { thresholdsOf } from '../results/threshold-results.ts';
import type { Tallies } from '../stores/tallies.ts';
import { queryFinding, webhookFinding } from './check-findings.ts';
import type { QueryAnswer, WebhookAnswer } from './check-findings.ts';
import { guardrailFindings } from './guardrail-findings.ts';
import { judgementOf } from './judgement.ts';
import type { Finding, Judgement } from './judgement.ts';
import { mirrorFindings } from './mirror-findings.ts';
import type { MirrorEvidence } from './mirror-findings.ts';
import type { Checks, MirrorGate, QueryCheck, RolloutPlan, WebhookCheck } from './plan.ts';
import { trafficOf } from './state.ts';
import type { RolloutState } from './state.ts';
import { thresholdFindings } from './threshold-findings.ts';

/** The false alarms that all guardrails of a rollout may raise together, over all of its looks and steps: one rollout in twenty. */
const ALPHA = 0.05;

/** All that an analysis looks at. */
export interface Evidence {
  readonly tallies: Tallies;
  /** Undefined where nothing was mirrored. */
  readonly mirror: MirrorEvidence | undefined;
  readonly queries: readonly (readonly [QueryCheck, QueryAnswer])[];
  readonly webhooks: readonly (readonly [WebhookCheck, WebhookAnswer])[];
}

/** The checks that stand at a state: the rollout's own, and those of the step that it waits at. */
export function checksAt(plan: RolloutPlan, state: RolloutState): Checks {
  const step = 'at' in state ? plan.steps[state.at.step] : undefined;
  const own = step?.kind === 'analysis' ? step.checks : undefined;
  const isMirrored = trafficOf(plan, state).mirror > 0;
  return {
    queries: [...plan.checks.queries, ...(own?.queries ?? [])],
    webhooks: [...plan.checks.webhooks, ...(own?.webhooks ?? [])],
    mirror: isMirrored ? (own?.mirror ?? plan.checks.mirror) : undefined,
  };
}

/**
 * What an analysis comes to. Pure; what the network says is in the evidence.
 *
 * @param experiment as it is in force
 * @param nowMs milliseconds since 1970
 */
export function analyseRollout(
  experiment: Experiment,
  plan: RolloutPlan,
  state: RolloutState,
  { tallies, mirror, queries, webhooks }: Evidence,
  nowMs: number,
): Judgement {
  const { weight } = trafficOf(plan, state);
  const gate: MirrorGate | undefined = checksAt(plan, state).mirror;
  return judgementOf([
    ...(weight > 0 ? countedFindings(experiment, plan, weight, tallies, nowMs) : []),
    ...(gate === undefined ? [] : mirrorFindings(gate, plan.variant, mirror)),
    ...queries.map(([check, answer]) => queryFinding(check, answer)),
    ...webhooks.map(([check, answer]) => webhookFinding(check, answer)),
  ]);
}

function countedFindings(
  experiment: Experiment,
  plan: RolloutPlan,
  weight: number,
  tallies: Tallies,
  nowMs: number,
): readonly Finding[] {
  const relative = experiment.metrics.filter(({ role }) => role === 'guardrail').length;
  const absolute = thresholdsOf(experiment.guardrails).length;
  const each = ALPHA / Math.max(1, relative + absolute);
  return [
    ...modelFindings(experiment, plan, tallies),
    ...unitFindings(experiment, plan, tallies),
    // Once all units get the variant there is nobody left to compare them with.
    ...(weight < 100 ? guardrailFindings(experiment, plan, tallies, nowMs, each * relative) : []),
    ...thresholdFindings(experiment, plan.variant, tallies, each),
  ];
}

/** Whether what is rolled out, and what it is compared with, were one model each all the while. */
function modelFindings(
  { control }: Experiment,
  { variant, baseline }: RolloutPlan,
  tallies: Tallies,
): readonly Finding[] {
  // What was served before anybody got the variant is compared with nothing.
  const epochs = tallies.epochs.filter(({ variants }) => (ownValue(variants, variant)?.requests ?? 0) > 0);
  const digestsOf = (name: string): readonly string[] => [
    ...new Set(epochs.flatMap(({ variants }) => Object.keys(ownValue(variants, name)?.models ?? {}))),
  ];
  const told = (digests: readonly string[]): string =>
    `(models ${digests.map((digest) => digest.slice(0, 12)).join(', ')})`;
  const findings: Finding[] = [];
  const own = digestsOf(variant);
  if (own.length > 1) {
    const message = `the files of ${variant} were changed while it was rolled out ${told(own)}: what was counted is of both; roll the new one out in a new phase`;
    findings.push({ source: 'health', name: 'models', outcome: 'fail', message });
  }
  for (const name of [control.name, ...(baseline === undefined ? [] : [baseline])]) {
    const compared = digestsOf(name);
    if (compared.length < 2) continue;
    const message = `the files of ${name} were changed while ${variant} was rolled out ${told(compared)}: what ${variant} is compared with is of both; begin a new phase, or promote by hand what was seen to be good`;
    findings.push({ source: 'health', name: 'models', outcome: 'unhealthy', message, isLasting: true });
  }
  return findings;
}

/** Whether enough is known: of units in the whole rollout, and of requests at the weight that is to be left. */
function unitFindings(
  experiment: Experiment,
  { variant, minUnits }: RolloutPlan,
  tallies: Tallies,
): readonly Finding[] {
  const { epoch } = epochOf(experiment);
  const units = tallies.epochs.reduce(
    (sum, { variants }) => sum + (ownValue(variants, variant)?.units ?? 0),
    0,
  );
  const current = tallies.epochs.find((tally) => tally.epoch === epoch)?.variants ?? {};
  const requests = ownValue(current, variant)?.requests ?? 0;
  const finding = (outcome: Finding['outcome'], message: string): Finding => ({
    source: 'units',
    name: 'units',
    outcome,
    message,
  });
  if (units < minUnits) return [finding('no_data', `${variant} has ${units} of ${minUnits} units`)];
  if (requests < minUnits) {
    return [finding('no_data', `${variant} has had ${requests} of ${minUnits} requests at this weight`)];
  }
  return [finding('pass', `${variant} has ${units} units`)];
}
