import type { Experiment } from '../../../experiments/definition.ts';
import { epochOf } from '../../../experiments/epoch.ts';
import { drivenRollout } from '../../../experiments/rollouts/rollout-step.ts';
import { sharesOf } from '../../../experiments/shares.ts';
import type { Situation } from '../../../experiments/standing/in-force.ts';
import { wishedSplit } from '../../../experiments/standing/in-force.ts';
import type { Standing } from '../../../experiments/standing/standing.ts';
import type { UpstreamDefinition } from '../../../experiments/upstream-definition.ts';
import { isUpstream } from '../../../experiments/variant.ts';
import { describeRollout } from './describe-rollout.ts';

/**
 * An experiment as the control plane tells it: what is in force, beside what its file wishes, and its rollout where it has one.
 *
 * @param situation undefined: the state store was never asked, and all is as the file says
 */
export function describeExperiment(inForce: Experiment, situation: Situation | undefined) {
  const { key, model, status, phase, phaseName, control, winner, variants, coverage, metrics } = inForce;
  const shares = new Map(sharesOf(inForce).map(({ variant, share }) => [variant, share]));
  const wished = wishedSplit(situation?.experiment ?? inForce);
  const driven = situation && drivenRollout(situation);
  return {
    key,
    model,
    status,
    phase,
    ...(phaseName !== undefined && { phaseName }),
    weightsVersion: inForce.weightsVersion,
    epoch: epochOf(inForce).epoch,
    coverage,
    control: control.name,
    ...(status === 'completed' && { winner: winner.name }),
    variants: variants.map((variant) => ({
      name: variant.name,
      ...(isUpstream(variant)
        ? { upstream: describeUpstream(variant.upstream) }
        : { version: variant.version }),
      weight: variant.weight,
      share: shares.get(variant.name) ?? 0,
    })),
    metrics: metrics.map(({ name, kind, role, direction }) => ({ name, kind, role, direction })),
    wished: {
      status: wished.status,
      weights: wished.weights,
      ...(wished.status === 'completed' && { winner: wished.winner }),
    },
    ...(driven !== undefined && { rollout: describeRollout(driven) }),
    standing: situation === undefined ? null : describeStanding(situation.standing),
  };
}

/** Where it lives. The headers that it is sent stay untold: they may open it. */
function describeUpstream({ url, protocol, model, version, path }: UpstreamDefinition) {
  if (protocol === 'http') return { url, protocol, path };
  return { url, protocol, model, ...(version !== undefined && { version }) };
}

/** How it came to stand there. */
function describeStanding({ version, cause, isRecovered, split }: Standing) {
  return { version, ...cause, isRecovered, rollout: split.rollout };
}
