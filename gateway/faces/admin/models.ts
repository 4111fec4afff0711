import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { ServedModel } from '../../../backends/repository/served-model.ts';
import type { Gateway } from '../../gateway.ts';
import { acceptAnyBody } from '../body.ts';
import { scope } from '../scoped-routes.ts';
import { NOTHING, objectAt, parseJson } from '../v2/json-values.ts';
import type { JsonObject } from '../v2/json-values.ts';
import {
  bytesOfBase64,
  controlParameters,
  loadModel,
  readLoadOverride,
  readUnload,
  unloadModel,
} from '../v2/repository-control.ts';

/** A configuration in JSON is what a load may carry. */
const BODY_LIMIT_BYTES = 1024 ** 2;

interface ByModel {
  readonly model: string;
}

/** The models that are served; loads and unloads take what Triton's repository extension does. */
export function modelRoutes(app: FastifyInstance, { repository }: Gateway): void {
  acceptAnyBody(app, BODY_LIMIT_BYTES);

  app.get('/api/models', scope('admin:read'), ({ principal }) => ({
    models: repository.models
      .filter(({ name }) => principal?.models === undefined || principal.models.has(name))
      .map(describe),
  }));

  app.post<{ Params: ByModel }>('/api/models/:model/load', scope('admin:write'), async (request) => {
    const { model } = request.params;
    await loadModel(repository, model, readLoadOverride(controlParameters(bodyOf(request)), bytesOfBase64));
    return answer(repository.model(model), model);
  });

  app.post<{ Params: ByModel }>('/api/models/:model/unload', scope('admin:write'), async (request) => {
    const { model } = request.params;
    await unloadModel(repository, model, readUnload(controlParameters(bodyOf(request))));
    return answer(repository.model(model), model);
  });
}

/** The model as it is afterwards; without versions where it is gone. */
function answer(model: ServedModel | undefined, name: string) {
  return model === undefined ? { name, versions: [] } : describe(model);
}

function describe(model: ServedModel) {
  return {
    name: model.name,
    versions: model.index().map(({ version, state, reason }) => {
      const loaded = model.version(version);
      return {
        version,
        state,
        reason,
        ...(loaded !== undefined && {
          digest: loaded.digest,
          instances: loaded.instances,
          ...(loaded.provider !== undefined && { provider: loaded.provider }),
          queued: loaded.queued,
        }),
      };
    }),
  };
}

/** A body may be left out, which stands for an empty object. */
function bodyOf({ body }: FastifyRequest<{ Params: ByModel }>): JsonObject {
  if (!(body instanceof Uint8Array) || body.length === 0) return NOTHING;
  return objectAt(parseJson(new TextDecoder().decode(body)), 'the request');
}
