import { readPlan } from '../../../experiments/rollouts/read-plan.ts';
import type { RolloutPlan } from '../../../experiments/rollouts/plan.ts';

type RolloutFile = Parameters<typeof readPlan>[0];

/** A plan that rolls v2 out, read as a file is. */
export function samplePlan(file: RolloutFile = { preset: 'canary' }): RolloutPlan {
  const variants = [
    { name: 'v1', version: 1, weight: 100 },
    { name: 'v2', version: 2, weight: 0 },
  ];
  const plan = readPlan(file, { control: 'v1', variants, hasGuardrails: true }, (path, message) => {
    throw new Error(`${path.join('.')} ${message}`);
  });
  if (plan === undefined) throw new Error('there is no plan');
  return plan;
}
