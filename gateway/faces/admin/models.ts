import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { ServedModel } from '../../../backends/repository/served-model.ts';
import type { VersionDescription } from '../../../backends/servable.ts';
import type { VersionStatistics } from '../../../backends/statistics.ts';
import type { Gateway } from '../../gateway.ts';
import { acceptAnyBody } from '../body.ts';
import { modelCaller } from '../http-call.ts';
import { scope } from '../scoped-routes.ts';
import { NOTHING, objectAt, parseJson } from '../../json-values.ts';
import type { JsonObject } from '../../json-values.ts';
import {
  bytesOfBase64,
  controlParameters,
  loadModel,
  readLoadOverride,
  readUnload,
  unloadingOf,
  unloadModel,
} from '../extensions/repository-control.ts';
import { LOAD_DOCS, MODELS_DOCS, UNLOAD_DOCS } from './docs/models.ts';

/** A configuration in JSON is what a load may carry. */
const BODY_LIMIT_BYTES = 1024 ** 2;

interface ByModel {
  readonly model: string;
}

/** The models that are served; loads and unloads take what Triton's repository extension does. */
export function modelRoutes(app: FastifyInstance, gateway: Gateway): void {
  const { repository } = gateway;
  acceptAnyBody(app, BODY_LIMIT_BYTES);

  app.get('/api/models', scope('admin:read', MODELS_DOCS), ({ principal }) => ({
    models: repository.models
      .filter(({ name }) => principal?.models === undefined || principal.models.has(name))
      .map(describeModel),
  }));

  app.post<{ Params: ByModel }>(
    '/api/models/:model/load',
    scope('admin:write', LOAD_DOCS),
    async (request) => {
      const { model } = request.params;
      const override = readLoadOverride(controlParameters(bodyOf(request)), bytesOfBase64);
      await loadModel(gateway, modelCaller(request), model, override);
      return answer(repository.model(model), model);
    },
  );

  app.post<{ Params: ByModel }>(
    '/api/models/:model/unload',
    scope('admin:write', UNLOAD_DOCS),
    async (request) => {
      const { model } = request.params;
      const parameters = readUnload(controlParameters(bodyOf(request)));
      await unloadModel(gateway, modelCaller(request), model, parameters);
      const { name, versions } = answer(repository.model(model), model);
      const leaving = unloadingOf(repository, model).map(({ version, state, reason }) => ({
        version,
        state,
        reason,
      }));
      return { name, versions: [...versions, ...leaving] };
    },
  );
}

/** The model as it is afterwards; without versions where it is gone. */
function answer(model: ServedModel | undefined, name: string) {
  return model === undefined ? { name, versions: [] } : describeModel(model);
}

/** A model as it stands: its versions, how they batch, and what they have done since they were loaded. */
export function describeModel(model: ServedModel) {
  return {
    name: model.name,
    versions: model.index().map(({ version, state, reason }) => {
      const loaded = model.version(version);
      return {
        version,
        state,
        reason,
        ...(loaded !== undefined && {
          platform: loaded.about.platform,
          digest: loaded.about.digest,
          instances: loaded.instances,
          ...(loaded.about.provider !== undefined && { provider: loaded.about.provider }),
          queued: loaded.queued,
          batching: describeBatching(loaded.about),
          statistics: describeStatistics(loaded.statistics),
        }),
      };
    }),
  };
}

function describeBatching({ maxBatchSize, config: { batching } }: VersionDescription) {
  const { enabled, preferredBatchSizes, maxQueueDelayMs, priorityLevels, targetLatencyMs } = batching;
  return {
    enabled: enabled && maxBatchSize > 0,
    maxBatchSize,
    preferredBatchSizes,
    maxQueueDelayMs,
    priorityLevels,
    ...(targetLatencyMs !== undefined && { targetLatencyMs }),
  };
}

/** Times are sums, in milliseconds, over what was answered. */
function describeStatistics({
  success,
  fail,
  queue,
  requests,
  inferences,
  executions,
  batches,
}: VersionStatistics) {
  return {
    answered: success.count,
    failed: fail.count,
    rows: inferences,
    runs: executions,
    totalMs: success.ns / 1e6,
    queueMs: queue.ns / 1e6,
    computeMs: requests.computeInfer.ns / 1e6,
    runsByRows: batches.map(({ rows, computeInfer }) => ({ rows, runs: computeInfer.count })),
  };
}

/** A body may be left out, which stands for an empty object. */
function bodyOf({ body }: FastifyRequest<{ Params: ByModel }>): JsonObject {
  if (!(body instanceof Uint8Array) || body.length === 0) return NOTHING;
  return objectAt(parseJson(new TextDecoder().decode(body)), 'the request');
}
