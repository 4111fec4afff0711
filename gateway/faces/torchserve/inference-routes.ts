import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Gateway } from '../../gateway.ts';
import type { UpstreamAnswer } from '../../upstream/exchange.ts';
import { describeAnswer } from '../answer-headers.ts';
import { forwardedRequest, passAnswer } from '../forwarded-call.ts';
import { httpCall } from '../http-call.ts';
import type { ModelPath } from '../http-call.ts';
import { acceptImages, classesOf, decodeImages, imageBody } from '../images/image-call.ts';
import type { ImageCall } from '../images/image-call.ts';
import { torchserveModelPath } from '../images/torchserve-upstream.ts';
import { readUploads } from '../images/uploads.ts';
import type { FieldNames } from '../images/uploads.ts';
import { scope } from '../scoped-routes.ts';
import { V2Decoder } from '../../open-inference/decoder.ts';
import type { DecodePatience } from '../../open-inference/decoder.ts';
import { jsonBytesOf, sendV2Response } from '../open-inference-body.ts';
import type { V2Request } from '../../open-inference/request.ts';
import { writeV2Response } from '../../open-inference/response.ts';
import type { LongV2Response } from '../../open-inference/long-response.ts';
import type { V2Response } from '../../open-inference/written-response.ts';
import { classesJson } from './classes-json.ts';
import { PREDICTIONS_DOCS } from './docs.ts';
import { answerTorchserveErrors } from './errors.ts';
import { versionOfPath } from './version-path.ts';

/** TorchServe's handlers take a form's `data` or `body`; `file` is what `POST /predict` takes. */
const FIELDS: FieldNames = ['data', 'body', 'file'];

/** A v2 server gets the tensors that the gateway makes; one that only takes `/predict` would answer in another shape. */
const ANSWERABLE_BY = ['v2', 'torchserve'] as const;

/**
 * `/predictions/{model}[/{version}]`: an image in, a map from labels to probabilities out; or JSON in the form of the Open
 * Inference Protocol, which is TorchServe's own for models without a handler for images, and its answer.
 */
export async function torchserveInferenceRoutes(app: FastifyInstance, gateway: Gateway): Promise<void> {
  const { config, experiments, pipeline, upstreams } = gateway;
  const { bodyLimitBytes } = config.server;
  answerTorchserveErrors(app, gateway);
  const decoder = new V2Decoder();
  app.addHook('onClose', () => decoder.close());

  const mayPassOn = ({ params }: FastifyRequest): boolean => {
    const { model, version } = params as Partial<ModelPath>;
    if (model === undefined || version !== undefined || !upstreams.passOn(model, 'torchserve')) return false;
    return experiments.current.byModel.get(model)?.needsBody === false;
  };
  await acceptImages(app, gateway, mayPassOn);

  const predict = async (
    request: FastifyRequest<{ Params: ModelPath }>,
    reply: FastifyReply,
  ): Promise<void> => {
    const { model, version: pinned } = request.params;
    const path = { model, ...(pinned !== undefined && { version: versionOfPath(pinned) }) };
    const call = httpCall(request, path, ANSWERABLE_BY);
    const body = await imageBody(request, bodyLimitBytes, mayPassOn);
    const patience = (): DecodePatience => ({
      deadlineMs: call.receivedMs + config.timeouts.inferenceMs,
      signal: call.signal,
    });
    let read: Promise<readonly Uint8Array[]> | undefined;
    const uploads = (): Promise<readonly Uint8Array[]> =>
      (read ??= readUploads(request, body, bodyLimitBytes, FIELDS));
    const answered = await pipeline.infer<
      ImageCall | V2Request,
      string | V2Response | LongV2Response | UpstreamAnswer
    >(call, {
      decode: async (version) => {
        const bytes = request.isMultipart() ? undefined : await body.bytes();
        if (bytes !== undefined && isJson(bytes))
          return decoder.decode(bytes, jsonBytesOf(request), patience());
        return decodeImages(gateway, uploads, call, version);
      },
      decodeUnrouted: () => {
        const { held } = body;
        return held !== undefined && isJson(held)
          ? decoder.decode(held, jsonBytesOf(request), patience())
          : undefined;
      },
      forward: (version) => {
        const { definition } = version;
        if (definition.protocol !== 'torchserve') return undefined;
        return {
          request: forwardedRequest(request, body, version, torchserveModelPath(definition)),
          encode: (answer) => answer,
        };
      },
      isSpent: () => body.isSpent,
      encode: (read, answer, { version }) =>
        'spec' in read
          ? classesJson(classesOf(read, answer, version.about))
          : writeV2Response(read, version.about, answer.outputs),
    });
    const { encoded } = answered;
    if (typeof encoded === 'string') {
      describeAnswer(reply, answered);
      void reply.type('application/json; charset=utf-8').send(encoded);
    } else if ('status' in encoded) {
      passAnswer(reply, encoded, answered);
    } else {
      describeAnswer(reply, answered);
      await sendV2Response(request, reply, encoded);
    }
  };
  for (const url of ['/:model', '/:model/:version']) {
    // `curl -T`, as TorchServe's own examples have it, puts.
    app.route<{ Params: ModelPath }>({
      method: ['POST', 'PUT'],
      url,
      ...scope('infer', PREDICTIONS_DOCS, 'rows'),
      handler: predict,
    });
  }
}

const [BRACE, BRACKET] = Buffer.from('{[');
const BLANK: ReadonlySet<number> = new Set(Buffer.from(' \t\r\n'));

/** Bytes at the start of a body that are looked at: nobody writes more blanks before JSON, and a body may be nothing else. */
const LOOKED_AT_BYTES = 4096;

/** Whether a body is JSON, whatever its content type says: no image starts like that. */
function isJson(body: Uint8Array): boolean {
  const first = body.subarray(0, LOOKED_AT_BYTES).find((byte) => !BLANK.has(byte));
  return first === BRACE || first === BRACKET;
}
