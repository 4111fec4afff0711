import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { ModelVersion } from '../../../backends/model-version.ts';
import type { ServedModel } from '../../../backends/repository/served-model.ts';
import { GatewayError } from '../../errors.ts';
import { RELEASE } from '../../release.ts';
import type { Gateway } from '../../gateway.ts';
import { findVersion, noVersionReady, unknownModel } from '../../pipeline/route.ts';
import { acceptAnyBody } from '../body.ts';
import { describeAnswer, httpCall } from '../http-call.ts';
import type { ModelPath } from '../http-call.ts';
import { V2Decoder } from './decoder.ts';
import { EXTENSIONS, modelMetadata } from './metadata.ts';
import { invalid } from './json-values.ts';
import { writeV2Response } from './response.ts';

/** The Open Inference Protocol v2 over HTTP. */
export function v2Routes(app: FastifyInstance, gateway: Gateway): void {
  const { config, repository, pipeline } = gateway;
  acceptAnyBody(app, config.server.bodyLimitBytes);
  const decoder = new V2Decoder();
  app.addHook('onClose', () => decoder.close());

  app.get('/v2', () => ({ name: config.server.name, version: RELEASE, extensions: EXTENSIONS }));
  app.get('/v2/health/live', (_request, reply) => reply.send());
  app.get('/v2/health/ready', (_request, reply) => reply.code(gateway.isReady ? 200 : 503).send());

  const modelOf = (path: ModelPath): ServedModel => {
    const model = repository.model(path.model);
    if (model === undefined) throw unknownModel(path.model);
    return model;
  };
  const versionOf = (path: ModelPath): ModelVersion => {
    const model = modelOf(path);
    if (path.version !== undefined) return findVersion(model, path.version);
    const version = model.highestReady;
    if (version === undefined) throw new GatewayError('model_unavailable', noVersionReady(model));
    return version;
  };

  const infer = async (
    request: FastifyRequest<{ Params: ModelPath }>,
    reply: FastifyReply,
  ): Promise<FastifyReply> => {
    const decode = () => decoder.decode(request.body as Uint8Array | undefined, jsonBytesOf(request));
    const answered = await pipeline.infer(httpCall(request, request.params), {
      decode,
      decodeUnrouted: decode,
      encode: (read, answer, target) => writeV2Response(read, target.version, answer.outputs),
    });
    describeAnswer(reply, answered);
    const { body, jsonBytes } = answered.encoded;
    if (jsonBytes === undefined) return reply.type('application/json; charset=utf-8').send(body);
    reply.header('inference-header-content-length', jsonBytes);
    return reply.type('application/octet-stream').send(body);
  };

  for (const path of ['/v2/models/:model', '/v2/models/:model/versions/:version']) {
    app.get<{ Params: ModelPath }>(path, ({ params }) => modelMetadata(modelOf(params), versionOf(params)));
    app.get<{ Params: ModelPath }>(`${path}/ready`, ({ params }, reply) => {
      versionOf(params);
      return reply.send();
    });
    app.post<{ Params: ModelPath }>(`${path}/infer`, infer);
  }
}

function jsonBytesOf(request: FastifyRequest): number | undefined {
  const text = request.headers['inference-header-content-length'];
  if (text === undefined) return undefined;
  if (typeof text !== 'string' || !/^[0-9]{1,12}$/.test(text)) {
    throw invalid(
      `Inference-Header-Content-Length is '${String(text).slice(0, 64)}'; expected a number of bytes`,
    );
  }
  return Number(text);
}
