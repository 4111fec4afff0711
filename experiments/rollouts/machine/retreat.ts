import { explain, isProven } from '../judgement.ts';
import type { Judgement } from '../judgement.ts';
import { trafficOf } from '../state.ts';
import type { RolloutPlan } from '../plan.ts';
import type { Cause, RolloutState } from '../state.ts';
import { causeOf, codeOf, hardFloorCause, secondsText } from './cause.ts';
import type { RolloutEvent, Surroundings, Transition } from './event.ts';
import type { StateAtStep } from './moves.ts';

/** The states in which the variant may have a share, or is about to get everybody. */
type ExposedState = StateAtStep | Extract<RolloutState, { readonly kind: 'promoting' }>;

/** Whether the variant has, or is about to get, a share. */
export function isExposed(state: RolloutState): state is ExposedState {
  return 'at' in state || state.kind === 'promoting';
}

/** Takes the variant's share away where an event says so; undefined where none does. */
export function retreat(
  plan: RolloutPlan,
  state: RolloutState,
  event: RolloutEvent,
  surroundings: Surroundings,
): Transition | undefined {
  const cause =
    misfit(plan, state, event, surroundings) ??
    (isExposed(state) ? whyBack(plan, state, event, surroundings) : whyNever(plan, state, event));
  if (cause === undefined) return undefined;
  const { nowMs } = surroundings;
  return { state: { kind: 'rolling_back', to: 'rolled_back', sinceMs: nowMs, cause }, cause };
}

/** A variant that can answer nobody's requests is taken back before anybody gets it, so that its rollout says why it doesn't begin. */
function misfit(
  { variant }: RolloutPlan,
  state: RolloutState,
  event: RolloutEvent,
  surroundings: Surroundings,
): Cause | undefined {
  if (surroundings.misfit === undefined || event.kind === 'command') return undefined;
  if (!isExposed(state) && state.kind !== 'pending') return undefined;
  return causeOf('signature', `${variant} ${surroundings.misfit}, as the control does`);
}

/** A floor that was met before it began, as by processes that died under the version, is no reason to begin. */
function whyNever(plan: RolloutPlan, state: RolloutState, event: RolloutEvent): Cause | undefined {
  return state.kind === 'pending' && event.kind === 'hard_floor' ? hardFloorCause(plan, event) : undefined;
}

function whyBack(
  plan: RolloutPlan,
  state: ExposedState,
  event: RolloutEvent,
  { nowMs, isReady }: Surroundings,
): Cause | undefined {
  // A person who rolls back is told in their own words.
  if (event.kind === 'command' && event.command === 'rollback') return undefined;
  if (!isReady) {
    const { weight, rules } = trafficOf(plan, state);
    if (weight > 0 || rules.length > 0)
      return causeOf(
        'variant_not_ready',
        `${plan.variant} can't answer, and ${weight} % of the units got it`,
      );
  }
  switch (event.kind) {
    case 'hard_floor':
      return hardFloorCause(plan, event);
    case 'analysed':
      return failureOf(plan, state, event.judgement) ?? lateness(plan, state, nowMs, event.judgement);
    case 'clock':
    case 'in_force':
      return lateness(plan, state, nowMs, undefined);
    case 'command':
      return undefined;
  }
}

/** Why an analysis rolls back; undefined where it doesn't. */
function failureOf(plan: RolloutPlan, state: ExposedState, judgement: Judgement): Cause | undefined {
  const proven = judgement.findings.find(isProven);
  if (proven !== undefined) return causeOf(codeOf(proven), proven.message);
  const failed = judgement.findings.filter(({ outcome }) => outcome === 'fail');
  const [first] = failed;
  const failures = failed.length + ('at' in state ? state.at.failures : 0);
  if (first !== undefined && failures > plan.failureLimit) {
    const limit = plan.failureLimit > 0 ? `, the ${failures}. failure of at most ${plan.failureLimit}` : '';
    return causeOf(codeOf(first), `${first.message}${limit}`);
  }
  if (judgement.outcome === 'no_data' && plan.onNoData === 'rollback' && state.kind === 'progressing') {
    return causeOf('no_data', explain(judgement));
  }
  return undefined;
}

/** Whether an analysis step has taken too long. A last analysis that passes was in time. */
function lateness(
  { progressDeadlineMs }: RolloutPlan,
  state: ExposedState,
  nowMs: number,
  judgement: Judgement | undefined,
): Cause | undefined {
  if (state.kind !== 'progressing' || progressDeadlineMs === undefined) return undefined;
  const { step, sinceMs } = state.at;
  const spentMs = nowMs - sinceMs;
  if (spentMs < progressDeadlineMs || judgement?.outcome === 'pass') return undefined;
  const found = judgement === undefined ? '' : `: ${explain(judgement)}`;
  return causeOf('progress_deadline', `step ${step + 1} has not passed in ${secondsText(spentMs)}${found}`);
}
