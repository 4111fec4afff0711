import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Experiment } from '../../../experiments/definition.ts';
import { StoreUnavailable } from '../../../experiments/stores/state-store.ts';
import { GatewayError } from '../../errors.ts';
import type { Gateway } from '../../gateway.ts';
import { NOBODY } from '../../trust/principal.ts';
import { isFor, ownOf } from '../../trust/rights.ts';
import { scope } from '../scoped-routes.ts';
import { describeExperiment } from './describe-experiment.ts';
import { EXPERIMENTS_DOCS, EXPERIMENT_DOCS } from './docs/experiments.ts';
import { HISTORY_DOCS, RESULTS_DOCS } from './docs/results.ts';

interface ByKey {
  readonly key: string;
}

/** The experiments that are served, and what they say. A key for some models sees the experiments of these. */
export function experimentRoutes(app: FastifyInstance, gateway: Gateway): void {
  const { experiments } = gateway;
  const describe = (experiment: Experiment) =>
    describeExperiment(experiment, experiments.situation(experiment.key));

  app.get('/api/experiments', scope('admin:read', EXPERIMENTS_DOCS), ({ principal }) => {
    const served = [...experiments.current.byKey.values()].sort((a, b) => (a.key < b.key ? -1 : 1));
    return { experiments: ownOf(principal ?? NOBODY, served, ({ model }) => model).map(describe) };
  });

  app.get<{ Params: ByKey }>('/api/experiments/:key', scope('admin:read', EXPERIMENT_DOCS), (request) =>
    describe(experimentOf(gateway, request)),
  );

  app.get<{ Params: ByKey }>(
    '/api/experiments/:key/results',
    scope('admin:read', RESULTS_DOCS),
    (request) => {
      const experiment = experimentOf(gateway, request);
      return whileStoreAnswers(async () => (await gateway.results.reader.read(experiment)).results);
    },
  );

  app.get<{ Params: ByKey }>(
    '/api/experiments/:key/history',
    scope('admin:read', HISTORY_DOCS),
    (request) => {
      const experiment = experimentOf(gateway, request);
      return whileStoreAnswers(() => gateway.results.history.historyOf(experiment));
    },
  );
}

/** @throws GatewayError `experiment_not_found`: to a key for some models the experiments of the others are not there */
export function experimentOf(
  { experiments }: Gateway,
  { params, principal }: FastifyRequest<{ Params: ByKey }>,
): Experiment {
  const { byKey } = experiments.current;
  const experiment = byKey.get(params.key);
  const caller = principal ?? NOBODY;
  if (experiment === undefined || !isFor(caller, experiment.model)) {
    const known = ownOf(caller, [...byKey.values()], ({ model }) => model).map(({ key }) => key);
    throw new GatewayError(
      'experiment_not_found',
      `there is no experiment '${params.key.slice(0, 64)}'; ${known.length === 0 ? 'none is served' : `there are ${known.sort().join(', ')}`}`,
    );
  }
  return experiment;
}

/**
 * What the state store is asked for.
 *
 * @throws GatewayError `results_unavailable`
 */
async function whileStoreAnswers<Answer>(ask: () => Promise<Answer>): Promise<Answer> {
  try {
    return await ask();
  } catch (cause) {
    if (!(cause instanceof StoreUnavailable)) throw cause;
    throw new GatewayError('results_unavailable', `results can not be read now: ${cause.message}`, { cause });
  }
}
