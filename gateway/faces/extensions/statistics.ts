import type { Servable } from '../../../backends/servable.ts';
import type { ModelRepository } from '../../../backends/repository/repository.ts';
import type { DurationStat, VersionStatistics } from '../../../backends/statistics.ts';
import type { Principal } from '../../trust/principal.ts';
import { ownOf } from '../../trust/rights.ts';
import type { ModelPath } from '../http-call.ts';
import { readyVersion, servedModel } from './lookup.ts';

/**
 * Statistics in the shape of Triton's extension: of a model's ready versions, or of one.
 *
 * @throws GatewayError where the path names what isn't served
 */
export function modelStatistics(repository: ModelRepository, path: ModelPath) {
  return { model_stats: versionsOf(repository, path).map(statisticsOf) };
}

/** The same of every ready version of the models that the principal is for. */
export function allStatistics(repository: ModelRepository, principal: Principal) {
  const models = ownOf(principal, repository.models, ({ name }) => name);
  return { model_stats: models.flatMap(({ ready }) => ready).map(statisticsOf) };
}

function versionsOf(repository: ModelRepository, path: ModelPath): readonly Servable[] {
  if (path.version !== undefined) return [readyVersion(repository, path)];
  return servedModel(repository, path.model).ready;
}

/** Of a model without a cache. */
const NEVER: DurationStat = { count: 0, ns: 0 };

function statisticsOf({ about, statistics }: Servable) {
  const { success, fail, queue, requests, batches, cacheHit = NEVER, cacheMiss = NEVER } = statistics;
  return {
    name: about.model,
    version: String(about.version),
    last_inference: statistics.lastInferenceEpochMs,
    inference_count: statistics.inferences,
    execution_count: statistics.executions,
    inference_stats: {
      success,
      fail,
      queue,
      ...executionOf(requests),
      cache_hit: cacheHit,
      cache_miss: cacheMiss,
    },
    response_stats: {},
    batch_stats: batches.map((batch) => ({ batch_size: batch.rows, ...executionOf(batch) })),
    memory_usage: [],
  };
}

function executionOf({ computeInput, computeInfer, computeOutput }: VersionStatistics['requests']) {
  return { compute_input: computeInput, compute_infer: computeInfer, compute_output: computeOutput };
}
