import { explain, isProven } from './judgement.ts';
import type { Finding, Judgement } from './judgement.ts';
import { trafficAt } from './plan.ts';
import type { FaultKind, RolloutPlan } from './plan.ts';
import { trafficOf } from './state.ts';
import type { Cause, CauseCode, Hold, Progress, RolloutState } from './state.ts';

/** What happens to a rollout. */
export type RolloutEvent =
  /** Time passed. */
  | { readonly kind: 'clock' }
  /** What the last state left in force is in force. */
  | { readonly kind: 'in_force' }
  | { readonly kind: 'analysed'; readonly judgement: Judgement }
  /** The variant met as many faults of a kind as a hard floor allows. */
  | { readonly kind: 'hard_floor'; readonly fault: FaultKind; readonly count: number }
  | { readonly kind: 'command'; readonly command: Command; readonly by: string; readonly reason: string };

/** `promote` goes on to the next step, `promote_full` to the end. */
export type Command = 'promote' | 'promote_full' | 'pause' | 'resume' | 'rollback';

/** What an event is judged with. */
export interface Surroundings {
  /** Milliseconds since 1970. */
  readonly nowMs: number;
  /** Whether the variant's version can answer. */
  readonly isReady: boolean;
}

/** A step from one state to the next; it is stored before it takes effect. */
export interface Transition {
  readonly state: RolloutState;
  readonly cause: Cause;
}

/** The state of a rollout that nothing has happened to. */
export function beginRollout(nowMs: number): RolloutState {
  return { kind: 'pending', sinceMs: nowMs };
}

/**
 * What an event makes of a rollout. Pure: the same state, event and surroundings give the same answer on every replica.
 *
 * What rolls back is judged before anything else, so no gate is passed in the same breath; a variant that isn't ready has its share taken
 * away and never gets one; a rollout that is over is moved on by a person only.
 *
 * @returns undefined where the event changes nothing
 */
export function advance(
  plan: RolloutPlan,
  state: RolloutState,
  event: RolloutEvent,
  surroundings: Surroundings,
): Transition | undefined {
  return (
    retreat(plan, state, event, surroundings) ??
    (event.kind === 'command'
      ? obey(plan, state, event, surroundings)
      : proceed(plan, state, event, surroundings))
  );
}

/** Whether, and why, the variant has to lose its share. */
function retreat(
  plan: RolloutPlan,
  state: RolloutState,
  event: RolloutEvent,
  { nowMs, isReady }: Surroundings,
): Transition | undefined {
  const rollBack = (cause: Cause): Transition => ({
    state: { kind: 'rolling_back', to: 'rolled_back', sinceMs: nowMs, cause },
    cause,
  });
  switch (state.kind) {
    case 'rolling_back':
    case 'rolled_back':
    case 'aborted':
    case 'succeeded':
    case 'pending':
      return undefined;
    case 'promoting':
    case 'progressing':
    case 'paused':
    case 'waiting_for_approval':
      break;
  }
  if (event.kind === 'command' && event.command === 'rollback') return undefined;
  const { weight, rules } = trafficOf(plan, state);
  if (!isReady && (weight > 0 || rules.length > 0)) {
    return rollBack(
      causeOf('variant_not_ready', `${plan.variant} can't answer, and ${weight} % of the units got it`),
    );
  }
  if (event.kind === 'hard_floor') return rollBack(causeOf('hard_floor', hardFloorText(plan, event)));
  if (event.kind === 'analysed') {
    const cause = failureOf(plan, state, event.judgement);
    if (cause !== undefined) return rollBack(cause);
  }
  const { progressDeadlineMs } = plan;
  if (state.kind === 'progressing' && progressDeadlineMs !== undefined && event.kind !== 'command') {
    const spentMs = nowMs - state.at.sinceMs;
    if (spentMs >= progressDeadlineMs) {
      const found = event.kind === 'analysed' ? `: ${explain(event.judgement)}` : '';
      const message = `step ${state.at.step + 1} has not passed in ${secondsText(spentMs)}${found}`;
      // A last analysis that passes was in time.
      if (event.kind !== 'analysed' || event.judgement.outcome !== 'pass')
        return rollBack(causeOf('progress_deadline', message));
    }
  }
  return undefined;
}

/** Why an analysis rolls back; undefined where it doesn't. */
function failureOf(
  plan: RolloutPlan,
  state: Extract<RolloutState, { readonly at: Progress } | { readonly kind: 'promoting' }>,
  judgement: Judgement,
): Cause | undefined {
  const proven = judgement.findings.find(isProven);
  if (proven !== undefined) return causeOf(codeOf(proven), proven.message);
  const failed = judgement.findings.filter(({ outcome }) => outcome === 'fail');
  const [first] = failed;
  const before = 'at' in state ? state.at.failures : 0;
  if (first !== undefined && before + failed.length > plan.failureLimit) {
    const limit =
      plan.failureLimit > 0 ? `, the ${before + failed.length}. failure of at most ${plan.failureLimit}` : '';
    return causeOf(codeOf(first), `${first.message}${limit}`);
  }
  if (judgement.outcome === 'no_data' && plan.onNoData === 'rollback' && state.kind === 'progressing') {
    return causeOf('no_data', explain(judgement));
  }
  return undefined;
}

/** What the rollout does by itself. */
function proceed(
  plan: RolloutPlan,
  state: RolloutState,
  event: Exclude<RolloutEvent, { readonly kind: 'command' }>,
  surroundings: Surroundings,
): Transition | undefined {
  const { nowMs, isReady } = surroundings;
  switch (state.kind) {
    case 'pending':
      return isReady
        ? arrive(plan, 0, causeOf('variant_ready', `${plan.variant} can answer`), surroundings)
        : undefined;
    case 'progressing':
      return event.kind === 'analysed' ? judged(plan, state.at, event.judgement, surroundings) : undefined;
    case 'paused': {
      const counted = event.kind === 'analysed' ? countFailures(state, event.judgement) : undefined;
      if (state.hold.by === 'plan' && nowMs >= state.hold.untilMs) {
        const cause = causeOf('pause_over', `the pause of step ${state.at.step + 1} is over`);
        return arrive(plan, state.at.step + 1, cause, surroundings) ?? counted;
      }
      return counted;
    }
    case 'waiting_for_approval':
      return event.kind === 'analysed' ? countFailures(state, event.judgement) : undefined;
    case 'promoting': {
      const cause = causeOf('in_force', `all units get ${plan.variant}`);
      return event.kind === 'in_force' ? { state: { kind: 'succeeded', sinceMs: nowMs }, cause } : undefined;
    }
    case 'rolling_back': {
      if (event.kind !== 'in_force') return undefined;
      return { state: { kind: state.to, sinceMs: nowMs, cause: state.cause }, cause: state.cause };
    }
    case 'succeeded':
    case 'rolled_back':
    case 'aborted':
      return undefined;
  }
}

/** Checks that failed and are put up with count at whatever step they do. */
function countFailures(
  state: Extract<RolloutState, { readonly kind: 'paused' | 'waiting_for_approval' }>,
  judgement: Judgement,
): Transition | undefined {
  const failed = judgement.findings.filter(({ outcome }) => outcome === 'fail').length;
  if (failed === 0) return undefined;
  return {
    state: { ...state, at: { ...state.at, failures: state.at.failures + failed } },
    cause: causeOf('analysis', explain(judgement)),
  };
}

/** An analysis at an analysis step, of which nothing rolls back. */
function judged(
  plan: RolloutPlan,
  at: Progress,
  judgement: Judgement,
  surroundings: Surroundings,
): Transition | undefined {
  const stay = (changes: Partial<Progress>): Transition => ({
    state: { kind: 'progressing', at: { ...at, ...changes } },
    cause: causeOf('analysis', explain(judgement)),
  });
  switch (judgement.outcome) {
    case 'fail':
      return stay({
        failures: at.failures + judgement.findings.filter(({ outcome }) => outcome === 'fail').length,
      });
    case 'unhealthy':
      return undefined;
    case 'no_data':
      return plan.onNoData === 'warn' ? passed(plan, at, judgement, surroundings) : undefined;
    case 'inconclusive': {
      // What nothing depends on is not counted, or each look of a long wait would be a change.
      if (plan.inconclusiveLimit === undefined) return undefined;
      const inconclusive = at.inconclusive + 1;
      if (inconclusive <= plan.inconclusiveLimit) return stay({ inconclusive });
      const cause = causeOf(
        'inconclusive',
        `${inconclusive} analyses in a row were inconclusive: ${explain(judgement)}`,
      );
      return { state: { kind: 'paused', at: { ...at, inconclusive }, hold: { by: 'inconclusive' } }, cause };
    }
    case 'pass':
      return passed(plan, at, judgement, surroundings);
  }
}

function passed(
  plan: RolloutPlan,
  at: Progress,
  judgement: Judgement,
  surroundings: Surroundings,
): Transition | undefined {
  const step = plan.steps[at.step];
  const passes = at.passes + 1;
  const wanted = step?.kind === 'analysis' ? step.count : 1;
  if (passes < wanted) {
    const message = `${passes} of ${wanted} analyses passed: ${explain(judgement)}`;
    return {
      state: { kind: 'progressing', at: { ...at, passes, inconclusive: 0 } },
      cause: causeOf('analysis', message),
    };
  }
  const how = judgement.outcome === 'pass' ? 'passed' : 'has no data, which onNoData: warn lets pass';
  const cause = causeOf(
    'analysis_passed',
    `the analysis of step ${at.step + 1} ${how}: ${explain(judgement)}`,
  );
  return arrive(plan, at.step + 1, cause, surroundings);
}

/** What a person says. What is so already changes nothing. */
function obey(
  plan: RolloutPlan,
  state: RolloutState,
  { command, by, reason }: Extract<RolloutEvent, { readonly kind: 'command' }>,
  surroundings: Surroundings,
): Transition | undefined {
  const { nowMs, isReady } = surroundings;
  const cause: Cause = { code: 'person', message: reason, by };
  const end = (): Transition | undefined =>
    isReady ? { state: { kind: 'promoting', sinceMs: nowMs }, cause } : undefined;
  switch (command) {
    case 'rollback':
      if (state.kind === 'aborted' || state.kind === 'rolled_back') return undefined;
      if (state.kind === 'rolling_back' && state.to === 'aborted') return undefined;
      return { state: { kind: 'rolling_back', to: 'aborted', sinceMs: nowMs, cause }, cause };
    case 'promote_full':
      return state.kind === 'promoting' || state.kind === 'succeeded' ? undefined : end();
    case 'promote':
      switch (state.kind) {
        case 'pending':
          return isReady ? arrive(plan, 0, cause, surroundings) : undefined;
        case 'progressing':
        case 'paused':
        case 'waiting_for_approval':
          return state.at.step >= plan.steps.length
            ? end()
            : arrive(plan, state.at.step + 1, cause, surroundings, true);
        case 'rolled_back':
        case 'aborted':
          return arrive(plan, 0, cause, surroundings);
        case 'promoting':
        case 'succeeded':
        case 'rolling_back':
          return undefined;
      }
    // The cases above return in every way.
    // eslint-disable-next-line no-fallthrough
    case 'pause':
      switch (state.kind) {
        case 'progressing':
          return { state: { kind: 'paused', at: state.at, hold: { by: 'person' } }, cause };
        case 'waiting_for_approval':
          return { state: { kind: 'paused', at: state.at, hold: { by: 'person', awaited: true } }, cause };
        case 'paused': {
          if (state.hold.by === 'person') return undefined;
          const hold: Hold =
            state.hold.by === 'plan'
              ? { by: 'person', remainingMs: Math.max(0, state.hold.untilMs - nowMs) }
              : { by: 'person' };
          return { state: { ...state, hold }, cause };
        }
        case 'pending':
        case 'promoting':
        case 'succeeded':
        case 'rolling_back':
        case 'rolled_back':
        case 'aborted':
          return undefined;
      }
    // eslint-disable-next-line no-fallthrough
    case 'resume':
      switch (state.kind) {
        case 'paused':
          return resume(plan, state.at, state.hold, cause, surroundings);
        case 'waiting_for_approval':
          return state.at.step >= plan.steps.length
            ? end()
            : arrive(plan, state.at.step + 1, cause, surroundings);
        case 'rolled_back':
        case 'aborted':
          return { state: beginRollout(nowMs), cause };
        case 'pending':
        case 'progressing':
        case 'promoting':
        case 'succeeded':
        case 'rolling_back':
          return undefined;
      }
  }
}

function resume(
  plan: RolloutPlan,
  at: Progress,
  hold: Hold,
  cause: Cause,
  surroundings: Surroundings,
): Transition | undefined {
  const { nowMs } = surroundings;
  // The time that it was paused is no time of the step's.
  const fresh: Progress = { ...at, sinceMs: nowMs, inconclusive: 0 };
  switch (hold.by) {
    case 'plan':
      return arrive(plan, at.step + 1, cause, surroundings);
    case 'inconclusive':
      return { state: { kind: 'progressing', at: fresh }, cause };
    case 'person':
      if (hold.awaited === true) return { state: { kind: 'waiting_for_approval', at: fresh }, cause };
      if (hold.remainingMs === undefined) return { state: { kind: 'progressing', at: fresh }, cause };
      return {
        state: { kind: 'paused', at: fresh, hold: { by: 'plan', untilMs: nowMs + hold.remainingMs } },
        cause,
      };
  }
}

/**
 * Goes on to a step, through those that only set something, to the first that waits.
 *
 * @param byPerson a person who promotes past the last step is the approval
 * @returns undefined where a variant that isn't ready would get a share
 */
function arrive(
  plan: RolloutPlan,
  from: number,
  cause: Cause,
  { nowMs, isReady }: Surroundings,
  byPerson = false,
): Transition | undefined {
  const step = firstWaiting(plan, from);
  const at: Progress = { step, sinceMs: nowMs, passes: 0, failures: 0, inconclusive: 0 };
  const waiting = plan.steps[step];
  const isEnd = waiting === undefined;
  const promotes = isEnd && (plan.autoPromote || byPerson);
  const { weight, rules } = trafficAt(plan, step);
  if (!isReady && (promotes || weight > 0 || rules.length > 0)) return undefined;
  if (promotes) return { state: { kind: 'promoting', sinceMs: nowMs }, cause };
  if (waiting?.kind === 'analysis') return { state: { kind: 'progressing', at }, cause };
  if (waiting?.kind === 'pause' && waiting.durationMs !== undefined) {
    return {
      state: { kind: 'paused', at, hold: { by: 'plan', untilMs: nowMs + waiting.durationMs } },
      cause,
    };
  }
  return { state: { kind: 'waiting_for_approval', at }, cause };
}

function firstWaiting({ steps }: RolloutPlan, from: number): number {
  const index = steps.findIndex(({ kind }, at) => at >= from && (kind === 'pause' || kind === 'analysis'));
  return index === -1 ? steps.length : index;
}

function causeOf(code: CauseCode, message: string): Cause {
  return { code, message };
}

function codeOf({ source }: Finding): CauseCode {
  return source === 'units' ? 'no_data' : source;
}

const FAULT_TEXTS: Readonly<Record<FaultKind, string>> = {
  error: 'requests in a row failed',
  timeout: 'requests in a row timed out',
  nan: 'answers in a row had a value that is not finite',
  worker_death: 'workers died',
  out_of_memory: 'times memory ran out',
};

function hardFloorText(
  { variant }: RolloutPlan,
  { fault, count }: Extract<RolloutEvent, { readonly kind: 'hard_floor' }>,
): string {
  return `${variant}: ${count} ${FAULT_TEXTS[fault]}`;
}

function secondsText(ms: number): string {
  return ms < 10_000 ? `${ms / 1000} s` : `${Math.round(ms / 1000)} s`;
}
