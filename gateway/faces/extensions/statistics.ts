import type { Servable } from '../../../backends/servable.ts';
import type { ModelRepository } from '../../../backends/repository/repository.ts';
import type { DurationStat, VersionStatistics } from '../../../backends/statistics.ts';
import type { ModelPath } from '../http-call.ts';
import { readyVersion, servedModel } from './lookup.ts';

/**
 * Statistics in the shape of Triton's extension: of every ready version, of a model's, or of one.
 *
 * @param path left out: of all models
 * @throws GatewayError where the path names what isn't served
 */
export function modelStatistics(repository: ModelRepository, path: ModelPath | undefined) {
  return { model_stats: versionsOf(repository, path).map(statisticsOf) };
}

function versionsOf(repository: ModelRepository, path: ModelPath | undefined): readonly Servable[] {
  if (path === undefined) return repository.models.flatMap((model) => model.ready);
  if (path.version !== undefined) return [readyVersion(repository, path)];
  return servedModel(repository, path.model).ready;
}

/** Of a model without a cache. */
const NEVER: DurationStat = { count: 0, ns: 0 };

function statisticsOf({ model, version, statistics }: Servable) {
  const { success, fail, queue, requests, batches, cacheHit = NEVER, cacheMiss = NEVER } = statistics;
  return {
    name: model,
    version: String(version),
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
