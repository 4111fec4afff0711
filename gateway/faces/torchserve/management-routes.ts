import type { FastifyInstance } from 'fastify';
import { MAX_INSTANCES } from '../../../backends/repository/model-config-schema.ts';
import type { ServedModel } from '../../../backends/repository/served-model.ts';
import type { Servable } from '../../../backends/servable.ts';
import { GatewayError } from '../../errors.ts';
import type { Gateway } from '../../gateway.ts';
import { findVersion } from '../../pipeline/route.ts';
import { acceptAnyBody } from '../body.ts';
import { modelCaller } from '../http-call.ts';
import type { ModelPath } from '../http-call.ts';
import { scope } from '../scoped-routes.ts';
import { invalid } from '../../json-values.ts';
import { readyVersion, servedModel } from '../extensions/lookup.ts';
import { unloadModel, unloadingOf } from '../extensions/repository-control.ts';
import type { ModelCaller } from '../extensions/repository-control.ts';
import { describeVersion, modelUrl } from './describe-version.ts';
import { answerTorchserveErrors } from './errors.ts';
import {
  DESCRIBE_DOCS,
  LIST_DOCS,
  REGISTER_DOCS,
  SCALE_DOCS,
  SET_DEFAULT_DOCS,
  UNREGISTER_DOCS,
} from './management-docs.ts';
import { ManagementQuery } from './query.ts';
import { register } from './register.ts';
import { versionOfPath } from './version-path.ts';

/** Hardly anything of these calls stands in their bodies. */
const BODY_LIMIT_BYTES = 16 * 1024;

/** Models on a page of the list. */
const DEFAULT_PAGE = 100;
const LONGEST_PAGE = 1000;

/** TorchServe's management API, as far as it means something here: list, describe, register, scale, the default version, unregister. */
export function torchserveManagementRoutes(app: FastifyInstance, gateway: Gateway): void {
  const { repository } = gateway;
  acceptAnyBody(app, BODY_LIMIT_BYTES);
  answerTorchserveErrors(app, gateway);

  app.get('/', scope('admin:read', LIST_DOCS), ({ principal, query }) => {
    const asked = new ManagementQuery(query, ['limit', 'next_page_token', 'nextPageToken']);
    const limit = asked.whole('limit', 1, LONGEST_PAGE) ?? DEFAULT_PAGE;
    const [first = 0] = ['next_page_token', 'nextPageToken']
      .map((name) => asked.whole(name, 0, Number.MAX_SAFE_INTEGER))
      .filter((token) => token !== undefined);
    const versions = repository.models
      .filter(({ name }) => principal?.models === undefined || principal.models.has(name))
      .flatMap(({ highestReady }) => highestReady ?? []);
    const next = first + limit;
    return {
      ...(next < versions.length && { nextPageToken: String(next) }),
      models: versions
        .slice(first, next)
        .map((version) => ({ modelName: version.about.model, modelUrl: modelUrl(version.about) })),
    };
  });

  app.post('/', scope('admin:write', REGISTER_DOCS), async (request, reply) => {
    const { query, body } = request;
    const { status, text } = await register(gateway, modelCaller(request), query, body);
    return reply.code(status).send({ status: text });
  });

  app.get<{ Params: ModelPath }>('/:model', scope('admin:read', DESCRIBE_DOCS), ({ params, query }) => {
    checkDescribing(query);
    return [describeVersion(readyVersion(repository, params))];
  });

  app.get<{ Params: Required<ModelPath> }>(
    '/:model/:version',
    scope('admin:read', DESCRIBE_DOCS),
    ({ params, query }) => {
      checkDescribing(query);
      if (params.version !== 'all') return [describeVersion(readyVersion(repository, asPath(params)))];
      return servedModel(repository, params.model).ready.map(describeVersion);
    },
  );

  for (const url of ['/:model', '/:model/:version']) {
    app.put<{ Params: ModelPath }>(url, scope('admin:write', SCALE_DOCS), async (request, reply) => {
      const { params, query } = request;
      const { workers, isSynchronous } = readScaling(query);
      const version = readyVersion(repository, asPath(params));
      requireWorkers(version);
      const count = workers(version.instances?.wanted ?? 0);
      const scaled = scale(gateway, modelCaller(request), version, count);
      if (!isSynchronous) {
        scaled.catch((error: unknown) => {
          gateway.log.error(
            { err: error, model: version.about.model, version: version.about.version },
            'scaling failed',
          );
        });
        return reply.code(202).send({ status: 'Processing worker updates...' });
      }
      await scaled;
      const path = `model: ${version.about.model}, version: ${version.about.version}`;
      return reply.send({ status: `Workers scaled to ${count} for ${path}` });
    });

    app.delete<{ Params: ModelPath }>(url, scope('admin:write', UNREGISTER_DOCS), async (request) => {
      const { params, query } = request;
      new ManagementQuery(query, ['synchronous']).flag('synchronous');
      const { model: name, version } = asPath(params);
      const model = servedModel(repository, name);
      if (version !== undefined) requireOnly(model, version);
      await unloadModel(gateway, modelCaller(request), name, { withDependents: false });
      const isGone = unloadingOf(repository, name).length === 0;
      return {
        status: `Model "${name}" unregistered${isGone ? '' : '; its last requests are not answered yet'}`,
      };
    });
  }

  app.put<{ Params: Required<ModelPath> }>(
    '/:model/:version/set-default',
    scope('admin:write', SET_DEFAULT_DOCS),
    ({ params, query }) => {
      new ManagementQuery(query, []);
      const { model, version } = readyVersion(repository, asPath(params)).about;
      const standing = servedModel(repository, model).highestReady?.about.version;
      if (version === standing) {
        return { status: `Default version successfully updated for model "${model}" to "${version}"` };
      }
      throw new GatewayError(
        'unsupported',
        `calls of model '${model}' that name no version go to the highest that is ready, ${standing}, where no experiment ` +
          `routes them; to send them to version ${version}, give it their weight in an experiment`,
      );
    },
  );
}

/** `customized` asks for what a handler of TorchServe's adds; of a model whose handler adds nothing the answer is the same with it. */
function checkDescribing(query: unknown): void {
  new ManagementQuery(query, ['customized']).flag('customized');
}

function asPath({ model, version }: ModelPath): ModelPath {
  return version === undefined ? { model } : { model, version: versionOfPath(version) };
}

interface Scaling {
  /** How many there are to be, of a version that is to have so many now. */
  readonly workers: (current: number) => number;
  readonly isSynchronous: boolean;
}

/** TorchServe lets a version have any number of workers between the two, so that one in between stays. */
function readScaling(query: unknown): Scaling {
  const asked = new ManagementQuery(query, ['min_worker', 'max_worker', 'synchronous']);
  const least = asked.whole('min_worker', 1, MAX_INSTANCES);
  const most = asked.whole('max_worker', 1, MAX_INSTANCES);
  if (least === undefined && most === undefined)
    throw invalid('the query has neither min_worker nor max_worker; expected one of them, or both');
  const min = least ?? 1;
  const max = most ?? min;
  if (min > max)
    throw invalid(`min_worker is ${min} and max_worker ${max}; expected it to be at least as many`);
  return {
    workers: (current) => Math.min(max, Math.max(min, current)),
    isSynchronous: asked.flag('synchronous'),
  };
}

/** @throws GatewayError */
function requireWorkers(version: Servable): void {
  if (version.resize !== undefined) return;
  throw new GatewayError(
    'unsupported',
    `model '${version.about.model}' has no workers of its own that could be more or fewer`,
  );
}

/** @throws GatewayError */
async function scale(
  { log, repository, modelChanges }: Gateway,
  { actor }: ModelCaller,
  version: Servable,
  count: number,
): Promise<void> {
  const { model, version: number } = version.about;
  // A version that is replaced meanwhile stays until its workers are what was asked for.
  const release = version.hold();
  try {
    await modelChanges.make(model, { action: 'model.scale', actor }, () => repository.scale(version, count));
    log.info({ model, version: number, instances: count }, 'scaled');
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new GatewayError('load_failed', `failed to scale '${model}' version ${number}: ${reason}`, {
      cause,
    });
  } finally {
    release();
  }
}

/** @throws GatewayError where the model has other versions, which would go with it */
function requireOnly(model: ServedModel, version: string): void {
  const { name, versions } = model;
  if (!versions.map(String).includes(version)) findVersion(model, version);
  if (versions.length === 1) return;
  throw new GatewayError(
    'unsupported',
    `model '${name}' has the versions ${versions.join(', ')}, which are unloaded together; to take version ${version} alone, ` +
      "remove its folder or set version_policy in the model's configuration, and load the model again",
  );
}
