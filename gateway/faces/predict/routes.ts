import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { InferAnswer } from '../../../backends/inference.ts';
import { versionText } from '../../../backends/servable.ts';
import type { VersionDescription } from '../../../backends/servable.ts';
import { GatewayError } from '../../errors.ts';
import type { Gateway } from '../../gateway.ts';
import type { Forwarding, Target } from '../../pipeline/call.ts';
import type { UpstreamAnswer } from '../../upstream/exchange.ts';
import type { UpstreamRequest } from '../../upstream/upstream-server.ts';
import type { UpstreamVersion } from '../../upstream/upstream-version.ts';
import { describeAnswer } from '../answer-headers.ts';
import { forwardedRequest, passAnswer } from '../forwarded-call.ts';
import type { CallBody } from '../forwarded-call.ts';
import { httpCall } from '../http-call.ts';
import { scope } from '../scoped-routes.ts';
import { PREDICT_DOCS, PREDICT_MODEL_DOCS } from './docs.ts';
import { acceptImages, classesOf, decodeImages, imageBody } from '../images/image-call.ts';
import type { ImageCall } from '../images/image-call.ts';
import { readTorchserveClasses, torchserveModelPath } from '../images/torchserve-upstream.ts';
import type { PredictedClass } from '../images/torchserve-upstream.ts';
import { readUploads } from '../images/uploads.ts';

/** `POST /predict[/{model}]`: an image in, the best classes out. */
export async function predictRoutes(app: FastifyInstance, gateway: Gateway): Promise<void> {
  const { config, pipeline } = gateway;
  const { bodyLimitBytes } = config.server;
  const passesOn = (request: FastifyRequest): boolean => mayPassOn(gateway, request);
  await acceptImages(app, gateway, passesOn);

  const predict = async (request: FastifyRequest<{ Params: { model?: string } }>, reply: FastifyReply) => {
    const model = request.params.model ?? requireDefaultModel(gateway);
    const call = httpCall(request, { model }, ANSWERABLE_BY);
    const body = await imageBody(request, bodyLimitBytes, passesOn);
    let read: Promise<readonly Uint8Array[]> | undefined;
    const uploads = (): Promise<readonly Uint8Array[]> =>
      (read ??= readUploads(request, body, bodyLimitBytes));
    const answered = await pipeline.infer<ImageCall, object | UpstreamAnswer>(call, {
      decode: (version) => decodeImages(gateway, uploads, call, version),
      forward: async (version) => {
        const { definition } = version;
        switch (definition.protocol) {
          case 'v2':
            return undefined;
          case 'http':
            return {
              request: forwardedRequest(request, body, version, definition.path),
              encode: (answer) => answer,
            };
          case 'torchserve':
            return torchserveForwarding(request, body, version, await uploads());
        }
      },
      isSpent: () => body.isSpent,
      encode: (image, answer, target) => describeClasses(image, answer, target),
    });
    const { encoded } = answered;
    if ('status' in encoded) {
      passAnswer(reply, encoded, answered);
      return;
    }
    describeAnswer(reply, answered);
    void reply.send(encoded);
  };
  app.post<{ Params: { model?: string } }>('/predict', scope('infer', PREDICT_DOCS, 'rows'), predict);
  app.post<{ Params: { model?: string } }>(
    '/predict/:model',
    scope('infer', PREDICT_MODEL_DOCS, 'rows'),
    predict,
  );
}

/** TorchServe takes images as the body; v2 servers take tensors, which the gateway makes; others take the call as it is. */
const ANSWERABLE_BY = ['v2', 'torchserve', 'http'] as const;

/** Whether an image may go to a variant's server as it comes. */
function mayPassOn(gateway: Gateway, { params }: FastifyRequest): boolean {
  const { model = gateway.defaultModel() } = params as { readonly model?: string };
  return model !== undefined && gateway.upstreams.passOn(model, 'http');
}

/** What is said of a body that isn't the caller's is written anew; the answer is read here, however the caller would have its own coded. */
const OF_BODIES: ReadonlySet<string> = new Set(['accept-encoding', 'content-length', 'content-type']);

/** TorchServe's image handlers take one image, as the body, and put those that come at once into one batch by themselves. */
function torchserveForwarding(
  request: FastifyRequest,
  body: CallBody,
  version: UpstreamVersion,
  images: readonly Uint8Array[],
): Forwarding<object> {
  const [first, ...others] = images.map((image) => torchserveRequest(request, body, version, image));
  if (first === undefined) throw new GatewayError('invalid_request', 'no image was sent');
  const further = { requests: others, join: joinTorchserve };
  return { request: first, encode: describeTorchserve, ...(others.length > 0 && { further }) };
}

function torchserveRequest(
  request: FastifyRequest,
  body: CallBody,
  version: UpstreamVersion,
  image: Uint8Array,
): UpstreamRequest {
  const { path, headers } = forwardedRequest(request, body, version, torchserveModelPath(version.definition));
  const kept = headers.filter((_, at) => !OF_BODIES.has(headers[at - (at % 2)] ?? ''));
  return {
    method: 'POST',
    path,
    headers: [...kept, 'content-type', 'application/octet-stream'],
    body: image,
    whole: true,
  };
}

function requireDefaultModel(gateway: Gateway): string {
  const model = gateway.defaultModel();
  if (model !== undefined) return model;
  const names = gateway.repository.models.map(({ name }) => name).join(', ') || 'none';
  throw new GatewayError(
    'invalid_request',
    `which model? There are: ${names}; call /predict/{model}, or set models.defaultModel`,
  );
}

interface TorchserveAnswer {
  readonly predictions: readonly PredictedClass[];
  readonly inference_time_ms: number;
}

/** @throws UpstreamFailure */
function describeTorchserve(answer: UpstreamAnswer, { version, choice }: Target): TorchserveAnswer {
  return {
    ...headOf(version.about, choice),
    predictions: readTorchserveClasses(answer, version.about.labels),
    inference_time_ms: Math.round(answer.computeMs * 1000) / 1000,
  };
}

/** Of several images, in their order; their times overlap. */
function joinTorchserve(answers: readonly TorchserveAnswer[]): object {
  return {
    ...answers[0],
    predictions: undefined,
    results: answers.map(({ predictions }) => ({ predictions })),
    inference_time_ms: Math.max(...answers.map(({ inference_time_ms: ms }) => ms)),
  };
}

function headOf(version: VersionDescription, choice: Target['choice']): object {
  return {
    success: true,
    experiment: choice?.experiment.key ?? null,
    variant: choice?.variant.name ?? null,
    model: version.model,
    version: versionText(version),
  };
}

/** @throws GatewayError */
function describeClasses(image: ImageCall, answer: InferAnswer, { version, choice }: Target): object {
  const results = classesOf(image, answer, version.about).map((classes) => ({
    predictions: classes.map(({ classId, label, confidence }) => ({ class_id: classId, label, confidence })),
  }));
  return {
    ...headOf(version.about, choice),
    ...(results.length === 1 ? results[0] : { results }),
    inference_time_ms: Math.round(answer.computeMs * 1000) / 1000,
  };
}
