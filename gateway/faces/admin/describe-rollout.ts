import type { DrivenRollout } from '../../../experiments/rollouts/rollout-step.ts';
import { beginRollout } from '../../../experiments/rollouts/machine/begin.ts';
import type { RolloutPlan, Step } from '../../../experiments/rollouts/plan.ts';
import { trafficOf } from '../../../experiments/rollouts/state.ts';

/** A rollout as the control plane tells it: what is rolled out, the plan with every default filled in, and where it stands. */
export function describeRollout({ plan, target, record }: DrivenRollout) {
  // Nothing is stored of it before somebody who leads has looked.
  const state = record?.state ?? beginRollout(0);
  const { weight, mirror, rules } = trafficOf(plan, state);
  return {
    target,
    state,
    weight,
    mirror,
    matching: rules.length,
    steps: plan.steps.map(describeStep),
    ...describeLimits(plan),
  };
}

function describeStep(step: Step) {
  const { kind } = step;
  switch (kind) {
    case 'setWeight':
      return { kind, weight: step.weight };
    case 'pause':
      // Null: until a person says so.
      return { kind, durationMs: step.durationMs ?? null };
    case 'analysis':
      return { kind, count: step.count };
    case 'match':
      return { kind, rules: step.rules.length };
    case 'setMirrorRoute':
      return { kind, percentage: step.percentage };
  }
}

/** What stands in the way of each step; null: no limit. */
function describeLimits({
  baseline,
  intervalMs,
  minUnits,
  failureLimit,
  inconclusiveLimit,
  progressDeadlineMs,
  onNoData,
  autoPromote,
  hardFloor,
}: RolloutPlan) {
  return {
    baseline: baseline ?? null,
    intervalMs,
    minUnits,
    failureLimit,
    inconclusiveLimit: inconclusiveLimit ?? null,
    progressDeadlineMs: progressDeadlineMs ?? null,
    onNoData,
    autoPromote,
    hardFloor,
  };
}
