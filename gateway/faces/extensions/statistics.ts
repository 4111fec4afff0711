import { versionText } from '../../../backends/servable.ts';
import type { Servable } from '../../../backends/servable.ts';
import type { DurationStat, VersionStatistics } from '../../../backends/statistics.ts';
import type { Principal } from '../../trust/principal.ts';
import { ownOf } from '../../trust/rights.ts';
import type { ModelPath } from '../http-call.ts';
import { readyVersion, servedModel, serversElsewhere } from './lookup.ts';
import type { ModelPlaces } from './lookup.ts';

/**
 * Statistics in the shape of Triton's extension: of a model's ready versions, or of one; of a model that lives elsewhere, what
 * its variants' servers answered through this gateway.
 *
 * @throws GatewayError where the path names what isn't served
 */
export function modelStatistics(places: ModelPlaces, path: ModelPath) {
  return { model_stats: versionsOf(places, path).map(statisticsOf) };
}

/** The same of all models that the principal is for. */
export function allStatistics(places: ModelPlaces, principal: Principal) {
  const { repository, upstreams } = places;
  const names = [
    ...repository.models.map(({ name }) => name),
    ...upstreams.all().map(({ version }) => version.about.model),
  ];
  const own = ownOf(principal, [...new Set(names)], (name) => name);
  return { model_stats: own.flatMap((model) => versionsOf(places, { model })).map(statisticsOf) };
}

function versionsOf(places: ModelPlaces, path: ModelPath): readonly Servable[] {
  const { repository } = places;
  if (path.version !== undefined) return [readyVersion(repository, path)];
  const elsewhere = serversElsewhere(places, path.model);
  return elsewhere.length > 0 ? elsewhere : servedModel(repository, path.model).ready;
}

/** Of a model without a cache. */
const NEVER: DurationStat = { count: 0, ns: 0 };

function statisticsOf({ about, statistics }: Servable) {
  const { success, fail, queue, requests, batches, cacheHit = NEVER, cacheMiss = NEVER } = statistics;
  return {
    name: about.model,
    version: versionText(about),
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
