import type { IncomingMessage } from 'node:http';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Servable } from '../../../backends/servable.ts';
import { v2ModelPath } from '../../../experiments/upstream-definition.ts';
import type { Gateway } from '../../gateway.ts';
import { RELEASE } from '../../release.ts';
import { describeAnswer } from '../answer-headers.ts';
import { passedV2Answer } from '../../upstream/v2-codec.ts';
import type { UpstreamAnswer } from '../../upstream/exchange.ts';
import { NOBODY } from '../../trust/principal.ts';
import { acceptAnyBody } from '../body.ts';
import { CallBody, forwardedRequest, passAnswer } from '../forwarded-call.ts';
import { httpCall } from '../http-call.ts';
import type { ModelPath } from '../http-call.ts';
import { scope } from '../scoped-routes.ts';
import { v2ControlRoutes } from './control-routes.ts';
import { V2Decoder } from '../../open-inference/decoder.ts';
import type { DecodePatience } from '../../open-inference/decoder.ts';
import {
  ALL_STATISTICS_DOCS,
  INFER_DOCS,
  LIVE_DOCS,
  METADATA_DOCS,
  MODEL_CONFIG_DOCS,
  MODEL_READY_DOCS,
  READY_DOCS,
  SERVER_DOCS,
  STATISTICS_DOCS,
} from './docs.ts';
import { jsonBytesOf, sendV2Response } from '../open-inference-body.ts';
import { describedModel } from '../extensions/lookup.ts';
import { modelConfig } from '../extensions/model-config.ts';
import { EXTENSIONS, modelMetadata } from '../extensions/metadata.ts';
import { readRawRequest } from '../../open-inference/raw-request.ts';
import type { V2Request } from '../../open-inference/request.ts';
import { writeV2Response } from '../../open-inference/response.ts';
import type { LongV2Response } from '../../open-inference/long-response.ts';
import type { V2Response } from '../../open-inference/written-response.ts';
import { allStatistics, modelStatistics } from '../extensions/statistics.ts';

/** The Open Inference Protocol v2 over HTTP. */
export async function v2Routes(app: FastifyInstance, gateway: Gateway): Promise<void> {
  const { config, pipeline } = gateway;
  const { bodyLimitBytes } = config.server;
  acceptAnyBody(app, bodyLimitBytes, (request) => mayPassOn(gateway, request));
  const decoder = new V2Decoder();
  app.addHook('onClose', () => decoder.close());

  await v2ControlRoutes(app, gateway);
  app.get('/v2', scope('infer', SERVER_DOCS), () => ({
    name: config.server.name,
    version: RELEASE,
    extensions: EXTENSIONS,
  }));
  app.get('/v2/health/live', scope('open', LIVE_DOCS), (_request, reply) => reply.send());
  app.get('/v2/health/ready', scope('open', READY_DOCS), (_request, reply) =>
    reply.code(gateway.readiness.isReady ? 200 : 503).send(),
  );

  const infer = async (
    request: FastifyRequest<{ Params: ModelPath }>,
    reply: FastifyReply,
  ): Promise<void> => {
    const body = new CallBody(
      request.body as Uint8Array | IncomingMessage | undefined,
      bodyLimitBytes,
      request.bodyHold,
    );
    const call = httpCall(request, request.params, ANSWERABLE_BY);
    const patience = (): DecodePatience => ({
      deadlineMs: call.receivedMs + config.timeouts.inferenceMs,
      signal: call.signal,
    });
    const decode = (bytes: Uint8Array | undefined, version: Servable): V2Request | Promise<V2Request> => {
      const jsonBytes = jsonBytesOf(request);
      // No JSON at all: the body is the only input's own bytes.
      if (jsonBytes === 0) return readRawRequest(bytes ?? new Uint8Array(), version.about);
      return decoder.decode(bytes, jsonBytes, patience());
    };
    const answered = await pipeline.infer<V2Request, V2Response | LongV2Response | UpstreamAnswer>(call, {
      decode: (version) => {
        const bytes = body.bytes();
        return bytes instanceof Promise
          ? bytes.then((received) => decode(received, version))
          : decode(bytes, version);
      },
      decodeUnrouted: () => {
        const jsonBytes = jsonBytesOf(request);
        const bytes = body.bytes();
        if (jsonBytes === 0) return undefined;
        return bytes instanceof Promise
          ? bytes.then((received) => decoder.decode(received, jsonBytes, patience()))
          : decoder.decode(bytes, jsonBytes, patience());
      },
      forward: (version) => ({
        request: forwardedRequest(request, body, version, `${v2ModelPath(version.definition)}/infer`),
        encode: passedV2Answer,
      }),
      isSpent: () => body.isSpent,
      encode: (read, answer, target) => writeV2Response(read, target.version.about, answer.outputs),
    });
    const { encoded } = answered;
    if ('status' in encoded) {
      passAnswer(reply, encoded, answered);
      return;
    }
    describeAnswer(reply, answered);
    const sending = sendV2Response(request, reply, encoded);
    if (sending !== undefined) await sending;
  };

  app.get('/v2/models/stats', scope('infer', ALL_STATISTICS_DOCS), ({ principal }) =>
    allStatistics(gateway, principal ?? NOBODY),
  );
  for (const path of ['/v2/models/:model', '/v2/models/:model/versions/:version']) {
    app.get<{ Params: ModelPath }>(path, scope('infer', METADATA_DOCS), ({ params }) =>
      modelMetadata(describedModel(gateway, params)),
    );
    app.get<{ Params: ModelPath }>(`${path}/ready`, scope('open', MODEL_READY_DOCS), ({ params }, reply) => {
      describedModel(gateway, params);
      return reply.send();
    });
    app.get<{ Params: ModelPath }>(`${path}/config`, scope('infer', MODEL_CONFIG_DOCS), ({ params }) =>
      modelConfig(gateway, params),
    );
    app.get<{ Params: ModelPath }>(`${path}/stats`, scope('infer', STATISTICS_DOCS), ({ params }) =>
      modelStatistics(gateway, params),
    );
    app.post<{ Params: ModelPath }>(`${path}/infer`, scope('infer', INFER_DOCS, 'rows'), infer);
  }
}

const ANSWERABLE_BY = ['v2'] as const;

/** Whether a body may go to a variant's server as it comes: only headers decide, and such a server speaks v2. */
function mayPassOn({ experiments, upstreams }: Gateway, { params }: FastifyRequest): boolean {
  const { model, version } = params as Partial<ModelPath>;
  if (model === undefined || version !== undefined || !upstreams.passOn(model, 'v2')) return false;
  return experiments.current.byModel.get(model)?.needsBody === false;
}
