import { decideWithin } from '../../../experiments/decision.ts';
import type { Choice, Decision, DecisionContext } from '../../../experiments/decision.ts';
import type { Experiment } from '../../../experiments/definition.ts';
import type { Gateway } from '../../gateway.ts';
import { ContextCaller } from './context-caller.ts';
import type { EvaluationContext } from './context-caller.ts';

/** Why a value was chosen, in OpenFeature's words. */
type OpenFeatureReason = 'TARGETING_MATCH' | 'SPLIT' | 'DEFAULT' | 'DISABLED' | 'STATIC';

/** An experiment as a flag: its value is the variant's name. */
export interface FlagEvaluation {
  readonly key: string;
  readonly value: string;
  readonly variant: string;
  readonly reason: OpenFeatureReason;
  readonly metadata: Readonly<Record<string, string | number>>;
}

/** A flag that has no value now. */
export interface FlagFailure {
  readonly key: string;
  readonly errorCode: 'GENERAL';
  readonly errorDetails: string;
}

/** What an experiment says of the one with that context. */
export async function evaluateFlag(
  experiment: Experiment,
  context: EvaluationContext,
  { repository, experiments, upstreams, deciding, sticky }: Gateway,
): Promise<FlagEvaluation | FlagFailure> {
  const { key, model, phase } = experiment;
  const caller = new ContextCaller(context, repository.model(model), upstreams);
  const asking: DecisionContext = {
    sticky: sticky.asked,
    nowMs: () => deciding.nowMs(),
    randomUnit: () => deciding.randomUnit(),
  };
  const decide = (): Decision => decideWithin(experiment, experiments.current.holdout, caller, asking);
  const first = decide();
  const isElsewhere = first.kind === 'variant' && (await sticky.lookUp(first)) === true;
  const decision = isElsewhere ? decide() : first;
  if (decision.kind !== 'variant') {
    const name = decision.kind === 'unavailable' ? decision.variant.name : experiment.control.name;
    return {
      key,
      errorCode: 'GENERAL',
      errorDetails: `variant ${name} of experiment ${key} is not ready`,
    };
  }
  const { variant, reason } = decision;
  return {
    key,
    value: variant.name,
    variant: variant.name,
    reason: reasonOf(decision),
    metadata: {
      reason,
      model,
      ...(variant.version !== undefined && { version: variant.version }),
      phase,
    },
  };
}

function reasonOf({ experiment, reason }: Choice): OpenFeatureReason {
  switch (reason) {
    case 'split':
    case 'sticky':
      return 'SPLIT';
    case 'override':
    case 'targeting':
      return 'TARGETING_MATCH';
    case 'holdout':
    case 'fallback':
      return 'DEFAULT';
    case 'default':
      if (experiment.status === 'paused') return 'DISABLED';
      return experiment.status === 'completed' ? 'STATIC' : 'DEFAULT';
  }
}
