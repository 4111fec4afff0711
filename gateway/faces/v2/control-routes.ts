import type { FastifyInstance, FastifyRequest } from 'fastify';
import { GatewayError } from '../../errors.ts';
import { NOBODY } from '../../trust/principal.ts';
import { requireAllModels } from '../../trust/rights.ts';
import { acceptAnyBody } from '../body.ts';
import { modelCaller } from '../http-call.ts';
import { scope } from '../scoped-routes.ts';
import type { Gateway } from '../../gateway.ts';
import {
  CHANGE_LOG_SETTINGS_DOCS,
  CHANGE_MODEL_TRACE_SETTINGS_DOCS,
  CHANGE_TRACE_SETTINGS_DOCS,
  INDEX_DOCS,
  LOAD_DOCS,
  LOG_SETTINGS_DOCS,
  MODEL_TRACE_SETTINGS_DOCS,
  TRACE_SETTINGS_DOCS,
  UNLOAD_DOCS,
} from './control-docs.ts';
import { NOTHING, objectAt, parseJson } from '../../json-values.ts';
import type { JsonObject } from '../../json-values.ts';
import { changeLogFor, readLogSettings } from '../extensions/log-settings.ts';
import { requireKnown } from '../extensions/lookup.ts';
import {
  bytesOfBase64,
  controlParameters,
  loadModel,
  readLoadOverride,
  readUnload,
  repositoryIndex,
  requireOneRepository,
  unloadModel,
} from '../extensions/repository-control.ts';
import { TRACE_SETTINGS, changeTraceSettings } from '../extensions/trace-settings.ts';

interface RepositoryPath {
  readonly repository?: string;
  readonly model: string;
}

/** Parts of the protocol that are refused by name. */
const REFUSED = { undocumented: 'it is refused, whatever is asked' };

/** What these calls say fits into far less, and is parsed on the main thread. */
const BODY_LIMIT_BYTES = 64 * 1024;

/** The model repository, trace and logging extensions over HTTP; what changes anything needs the scope admin:write. */
export async function v2ControlRoutes(app: FastifyInstance, gateway: Gateway): Promise<void> {
  loadRoutes(app, gateway);
  await app.register((small) => {
    acceptAnyBody(small, Math.min(gateway.config.server.bodyLimitBytes, BODY_LIMIT_BYTES));
    indexAndUnloadRoutes(small, gateway);
    settingsRoutes(small, gateway);
    sharedMemoryRoutes(small);
  });
}

/** The files that a load may bring along are read before they are refused. */
function loadRoutes(app: FastifyInstance, gateway: Gateway): void {
  const docs = { '/v2/repository': LOAD_DOCS, '/v2/repository/:repository': REFUSED };
  for (const [prefix, load] of Object.entries(docs)) {
    app.post<{ Params: RepositoryPath }>(
      `${prefix}/models/:model/load`,
      scope('admin:write', load),
      async (request, reply) => {
        requireOneRepository(request.params.repository);
        const override = readLoadOverride(controlParameters(bodyOf(request)), bytesOfBase64);
        await loadModel(gateway, modelCaller(request), request.params.model, override);
        return reply.send();
      },
    );
  }
}

function indexAndUnloadRoutes(app: FastifyInstance, gateway: Gateway): void {
  const { repository } = gateway;
  const docs = {
    '/v2/repository': { index: INDEX_DOCS, unload: UNLOAD_DOCS },
    '/v2/repository/:repository': { index: REFUSED, unload: REFUSED },
  };
  for (const [prefix, { index, unload }] of Object.entries(docs)) {
    app.post<{ Params: RepositoryPath }>(`${prefix}/index`, scope('infer', index), (request) => {
      requireOneRepository(request.params.repository);
      return repositoryIndex(repository, request.principal ?? NOBODY, bodyOf(request));
    });
    app.post<{ Params: RepositoryPath }>(
      `${prefix}/models/:model/unload`,
      scope('admin:write', unload),
      async (request, reply) => {
        requireOneRepository(request.params.repository);
        const parameters = readUnload(controlParameters(bodyOf(request)));
        await unloadModel(gateway, modelCaller(request), request.params.model, parameters);
        return reply.send();
      },
    );
  }
}

function settingsRoutes(app: FastifyInstance, gateway: Gateway): void {
  const { log } = gateway;
  app.get('/v2/logging', scope('infer', LOG_SETTINGS_DOCS), () => readLogSettings(log));
  app.post('/v2/logging', scope('admin:write', CHANGE_LOG_SETTINGS_DOCS), (request) => {
    const { principal, actor } = modelCaller(request);
    requireAllModels(principal, "the log's settings");
    return changeLogFor(gateway, actor, bodyOf(request));
  });

  app.get('/v2/trace/setting', scope('infer', TRACE_SETTINGS_DOCS), () => TRACE_SETTINGS);
  app.post('/v2/trace/setting', scope('admin:write', CHANGE_TRACE_SETTINGS_DOCS), (request) => {
    requireAllModels(request.principal ?? NOBODY, 'the settings of traces');
    return changeTraceSettings(bodyOf(request));
  });
  const traceOfModel = '/v2/models/:model/trace/setting';
  app.get<{ Params: RepositoryPath }>(
    traceOfModel,
    scope('infer', MODEL_TRACE_SETTINGS_DOCS),
    ({ params }) => {
      requireKnown(gateway, params.model);
      return TRACE_SETTINGS;
    },
  );
  app.post<{ Params: RepositoryPath }>(
    traceOfModel,
    scope('admin:write', CHANGE_MODEL_TRACE_SETTINGS_DOCS),
    (request) => {
      requireKnown(gateway, request.params.model);
      return changeTraceSettings(bodyOf(request));
    },
  );
}

function sharedMemoryRoutes(app: FastifyInstance): void {
  for (const kind of ['system', 'cuda']) {
    const path = `/v2/${kind}sharedmemory`;
    app.all(`${path}/*`, scope('infer', REFUSED), () => {
      throw new GatewayError(
        'unsupported',
        `${kind} shared memory is not supported; send tensors in the request`,
      );
    });
  }
}

/** A body may be left out, which stands for an empty object. */
function bodyOf(request: FastifyRequest<{ Params: RepositoryPath }> | FastifyRequest): JsonObject {
  const { body } = request;
  if (!(body instanceof Uint8Array) || body.length === 0) return NOTHING;
  return objectAt(parseJson(new TextDecoder().decode(body)), 'the request');
}
