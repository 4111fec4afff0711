import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Gateway } from '../../gateway.ts';
import { RELEASE } from '../../release.ts';
import { describeAnswer } from '../answer-headers.ts';
import { acceptAnyBody } from '../body.ts';
import { COMPRESS_FROM_BYTES, compress, wantedCoding } from '../content-coding.ts';
import { httpCall } from '../http-call.ts';
import type { ModelPath } from '../http-call.ts';
import { scope } from '../scoped-routes.ts';
import { v2ControlRoutes } from './control-routes.ts';
import { V2Decoder } from './decoder.ts';
import { invalid } from './json-values.ts';
import { readyVersion, servedModel } from './lookup.ts';
import { EXTENSIONS, modelMetadata } from './metadata.ts';
import { modelConfigJson } from '../../../backends/repository/model-config-json.ts';
import { readRawRequest } from './raw-request.ts';
import { writeV2Response } from './response.ts';
import { modelStatistics } from './statistics.ts';

/** The Open Inference Protocol v2 over HTTP. */
export function v2Routes(app: FastifyInstance, gateway: Gateway): void {
  const { config, repository, pipeline } = gateway;
  acceptAnyBody(app, config.server.bodyLimitBytes);
  const decoder = new V2Decoder();
  app.addHook('onClose', () => decoder.close());

  v2ControlRoutes(app, gateway);
  app.get('/v2', scope('infer'), () => ({
    name: config.server.name,
    version: RELEASE,
    extensions: EXTENSIONS,
  }));
  app.get('/v2/health/live', scope('open'), (_request, reply) => reply.send());
  app.get('/v2/health/ready', scope('open'), (_request, reply) =>
    reply.code(gateway.isReady ? 200 : 503).send(),
  );

  const infer = async (
    request: FastifyRequest<{ Params: ModelPath }>,
    reply: FastifyReply,
  ): Promise<void> => {
    const received = request.body as Uint8Array | undefined;
    const answered = await pipeline.infer(httpCall(request, request.params), {
      decode: (version) => {
        const jsonBytes = jsonBytesOf(request);
        // No JSON at all: the body is the only input's own bytes.
        if (jsonBytes === 0) return readRawRequest(received ?? new Uint8Array(), version);
        return decoder.decode(received, jsonBytes);
      },
      decodeUnrouted: () => {
        const jsonBytes = jsonBytesOf(request);
        return jsonBytes === 0 ? undefined : decoder.decode(received, jsonBytes);
      },
      encode: (read, answer, target) => writeV2Response(read, target.version, answer.outputs),
    });
    describeAnswer(reply, answered);
    const { body, jsonBytes } = answered.encoded;
    reply.type(jsonBytes === undefined ? 'application/json; charset=utf-8' : 'application/octet-stream');
    if (jsonBytes !== undefined) reply.header('inference-header-content-length', jsonBytes);
    if (body.length < COMPRESS_FROM_BYTES) {
      void reply.send(body);
      return;
    }
    reply.header('vary', 'accept-encoding');
    const coding = wantedCoding(request.headers['accept-encoding']);
    if (coding !== undefined) reply.header('content-encoding', coding);
    void reply.send(coding === undefined ? body : await compress(body, coding));
  };

  app.get('/v2/models/stats', scope('infer'), () => modelStatistics(repository, undefined));
  for (const path of ['/v2/models/:model', '/v2/models/:model/versions/:version']) {
    app.get<{ Params: ModelPath }>(path, scope('infer'), ({ params }) =>
      modelMetadata(servedModel(repository, params.model), readyVersion(repository, params)),
    );
    app.get<{ Params: ModelPath }>(`${path}/ready`, scope('open'), ({ params }, reply) => {
      readyVersion(repository, params);
      return reply.send();
    });
    app.get<{ Params: ModelPath }>(`${path}/config`, scope('infer'), ({ params }) =>
      modelConfigJson(readyVersion(repository, params)),
    );
    app.get<{ Params: ModelPath }>(`${path}/stats`, scope('infer'), ({ params }) =>
      modelStatistics(repository, params),
    );
    app.post<{ Params: ModelPath }>(`${path}/infer`, scope('infer', 'rows'), infer);
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
