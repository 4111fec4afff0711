import type {
  ExperimentShape,
  Health,
  MetricResult,
  ResultsShape,
  RolloutShape,
  ThresholdResult,
  Verdict,
} from '../shapes.ts';
import { count, figure, interval, percent, signedPercent } from './numbers.ts';

/** How something stands: said in words and by a sign, and only then by a colour. */
export type Tone = 'good' | 'bad' | 'open' | 'still';

export interface Told {
  readonly tone: Tone;
  readonly headline: string;
  readonly why: string;
}

export function toneOf(decision: Verdict): Tone {
  switch (decision.kind) {
    case 'ship':
      return 'good';
    case 'broken':
      return 'bad';
    case 'keep':
      return 'still';
    case 'keep_running':
      return 'open';
  }
}

/** The verdict as a sentence for somebody who knows no statistics, and why. */
export function tellVerdict(experiment: ExperimentShape, results: ResultsShape): Told {
  const { decision, metrics } = results;
  const tone = toneOf(decision);
  switch (decision.kind) {
    case 'ship': {
      const better = metrics.find(
        ({ variant, outcome, role }) =>
          variant === decision.variant && outcome === 'better' && role === 'goal',
      );
      const why =
        better === undefined
          ? 'A goal is better, and no goal and no guardrail is worse.'
          : `${tellLift(better)} No goal and no guardrail is worse.`;
      return { tone, headline: `Ship ${decision.variant}`, why };
    }
    case 'keep': {
      const worse = metrics.find(({ outcome, role }) => outcome === 'worse' && role !== 'secondary');
      const breach = results.thresholds.find(
        ({ outcome, variant }) => outcome === 'beyond' && variant !== experiment.control,
      );
      const why =
        decision.why === 'guardrail' && breach !== undefined
          ? tellBreach(breach)
          : decision.why === 'worse' && worse !== undefined
            ? tellLift(worse)
            : 'The other variants surely lack the improvement that would be worth shipping.';
      return { tone, headline: `Keep ${decision.variant}`, why };
    }
    case 'keep_running':
      if (experiment.rollout !== undefined && !experiment.metrics.some(({ role }) => role === 'goal'))
        return tellRollout(experiment, experiment.rollout);
      if (decision.unknownGuardrails !== undefined) {
        const why = `A goal is better for sure, but nothing is known yet of ${decision.unknownGuardrails.join(' and ')}, which must not get worse.`;
        return { tone, headline: 'Keep running', why };
      }
      return { tone, headline: 'Keep running', why: whyOpen(experiment, metrics, decision.unitsToGo) };
    case 'broken':
      return { tone, headline: 'Don’t believe this yet', why: whyBroken(decision.cause, results) };
  }
}

const listed = (names: readonly string[]): string => new Intl.ListFormat('en-GB').format(names);

/** A rollout without a goal proves nothing better; it looks whether anything is worse. */
function tellRollout({ metrics }: ExperimentShape, { state, target }: RolloutShape): Told {
  const guardrails = metrics.filter(({ role }) => role === 'guardrail').map(({ name }) => name);
  const judges =
    guardrails.length === 0
      ? 'its plan'
      : `the guardrail${guardrails.length === 1 ? '' : 's'} ${listed(guardrails)}`;
  const why = `It is judged by ${judges}: no metric is a goal, so there is nothing to win.`;
  switch (state.kind) {
    case 'promoting':
    case 'succeeded':
      return { tone: 'good', headline: `${target.variant} is rolled out`, why };
    case 'rolling_back':
    case 'rolled_back':
    case 'aborted':
      return { tone: 'bad', headline: `${target.variant} is taken back`, why: state.cause.message };
    case 'pending':
    case 'progressing':
    case 'paused':
    case 'waiting_for_approval':
      return { tone: 'open', headline: `${target.variant} is being rolled out`, why };
  }
}

function tellLift({ name, variant, lift, anytime }: MetricResult): string {
  return lift === null
    ? `${name} of ${variant} differs from control’s.`
    : `${name} of ${variant} is ${signedPercent(lift)} against control. Its interval, ${interval(anytime.interval)}, holds however often you look.`;
}

function tellBreach({ metric, variant, bound, value, estimate }: ThresholdResult): string {
  return `${metric} of ${variant} is ${figure(estimate ?? 0)}, beyond its ${bound} of ${figure(value)}: a guardrail is breached, for sure.`;
}

function whyOpen(
  experiment: ExperimentShape,
  metrics: readonly MetricResult[],
  unitsToGo: number | null,
): string {
  const goals = experiment.metrics.filter(({ role }) => role === 'goal');
  if (goals.length === 0) return 'No metric of this experiment is a goal, so nothing can win.';
  if (!metrics.some(({ units }) => units > 0))
    return `No outcomes of ${goals.map(({ name }) => name).join(' and ')} have arrived yet; they come in at /v1/outcomes.`;
  return unitsToGo === null
    ? 'What was seen so far fits both better and worse.'
    : `What was seen so far fits both better and worse. About ${count(roundUp(unitsToGo))} more units should tell.`;
}

/** Two digits say what such a forecast knows. */
function roundUp(units: number): number {
  const digits = Math.max(0, Math.floor(Math.log10(Math.max(units, 1))) - 1);
  return Math.ceil(units / 10 ** digits) * 10 ** digits;
}

/** It may also be the control that turns more away. */
function whoTurnsAway({ worse, shares }: Health['clientErrors']): string {
  const told = Object.entries(shares).map(([name, share]) => `${name} ${percent(share)}`);
  const who =
    worse.length === 0 ? 'One variant turns more callers away' : `${listed(worse)} turns more callers away`;
  return `${who} as mistaken than another one: ${listed(told)} of the units.`;
}

function whyBroken(
  cause: 'models' | 'sample_ratio' | 'client_errors' | 'missing_outcomes' | 'overrides',
  { health }: ResultsShape,
): string {
  switch (cause) {
    case 'models':
      return `The files of ${health.models.changed.join(' and ')} were changed in the middle of the phase: what both models came to can’t be told apart. Begin a new phase.`;
    case 'sample_ratio':
      return 'Units don’t fall to the variants as the weights say. Until the cause is found, no difference between them means anything.';
    case 'client_errors':
      return `${whoTurnsAway(health.clientErrors)} Callers’ own mistakes fall to all alike, so one of them takes other requests.`;
    case 'missing_outcomes':
      return `Only ${percent(health.outcomes.share)} of the units have outcomes, or variants differ in that. What is missing could decide.`;
    case 'overrides':
      return `${percent(health.overrides.share)} of the requests were forced to a variant by hand: that is no fair sample.`;
  }
}
