import type { FastifyInstance } from 'fastify';
import { drivenRollout } from '../../../experiments/rollouts/rollout-step.ts';
import { StoreUnavailable } from '../../../experiments/stores/state-store.ts';
import { GatewayError } from '../../errors.ts';
import type { Gateway } from '../../gateway.ts';
import { scope } from '../scoped-routes.ts';
import { describeRollout } from './describe-rollout.ts';
import { ROLLOUT_DOCS } from './docs/rollout.ts';
import { experimentOf } from './experiments.ts';

/** Where the rollout of an experiment stands, and what an analysis would decide now; it changes nothing. */
export function rolloutRoutes(app: FastifyInstance, gateway: Gateway): void {
  app.get<{ Params: { readonly key: string } }>(
    '/api/experiments/:key/rollout',
    scope('admin:read', ROLLOUT_DOCS),
    async (request) => {
      const { key } = experimentOf(gateway, request);
      const situation = gateway.experiments.situation(key);
      const driven = situation && drivenRollout(situation);
      if (driven?.record === undefined) return { experiment: key, rollout: null };
      const { judgement, step } = (await dryRunOf(gateway, key)) ?? {};
      return {
        experiment: key,
        rollout: describeRollout(driven),
        analysis: judgement ?? null,
        would: step === undefined ? null : { state: step.record.state, cause: step.cause },
      };
    },
  );
}

/** @throws GatewayError `results_unavailable` */
async function dryRunOf({ rollouts }: Gateway, key: string): ReturnType<Gateway['rollouts']['dryRun']> {
  try {
    return await rollouts.dryRun(key);
  } catch (cause) {
    if (!(cause instanceof StoreUnavailable)) throw cause;
    throw new GatewayError('results_unavailable', `results can not be read now: ${cause.message}`, { cause });
  }
}
