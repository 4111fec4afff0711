import { drivenRollout } from '../../experiments/rollouts/rollout-step.ts';
import { isOver } from '../../experiments/rollouts/state.ts';
import type { Situation } from '../../experiments/standing/in-force.ts';

/**
 * Why a version has to stay: a rollout that is under way would go back to it, or has gone back to it.
 *
 * @returns undefined where none would
 */
export function neededBy(
  situations: readonly Situation[],
  model: string,
  version: number,
): string | undefined {
  for (const situation of situations) {
    const { experiment } = situation;
    if (experiment.model !== model || experiment.control.version !== version) continue;
    const state = drivenRollout(situation)?.record?.state;
    if (state === undefined || state.kind === 'succeeded') continue;
    const stands = `the rollout of ${experiment.key} is ${state.kind.replaceAll('_', ' ')}`;
    return isOver(state)
      ? `${stands}, and all units get it; take the experiment away first`
      : `${stands}, and would go back to it; promote the rollout to its end first, or take the experiment away`;
  }
  return undefined;
}
