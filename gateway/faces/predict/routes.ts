import type { IncomingMessage } from 'node:http';
import multipart from '@fastify/multipart';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { ImageSpec } from '../../../backends/image/image-spec.ts';
import { stackFiles, stackImages } from '../../../backends/image/stack-images.ts';
import { topClasses } from '../../../backends/image/top-classes.ts';
import type { InferAnswer } from '../../../backends/inference.ts';
import type { Servable } from '../../../backends/servable.ts';
import { GatewayError } from '../../errors.ts';
import type { Gateway } from '../../gateway.ts';
import type { Call, Decoded, Target } from '../../pipeline/call.ts';
import type { UpstreamAnswer } from '../../upstream/exchange.ts';
import type { UpstreamRequest } from '../../upstream/upstream-server.ts';
import type { UpstreamVersion } from '../../upstream/upstream-version.ts';
import { acceptAnyBody, isLong, receiveBody } from '../body.ts';
import { CallBody, forwardedRequest, passHead, passBody } from '../forwarded-call.ts';
import { describeAnswer } from '../answer-headers.ts';
import { httpCall } from '../http-call.ts';
import { scope } from '../scoped-routes.ts';
import { readTorchserveClasses, torchserveModelPath } from './torchserve-upstream.ts';
import { readUploads } from './uploads.ts';

/** Files of one request; each of them is a row of the batch. */
const MAX_FILES = 256;

interface ImageCall extends Decoded {
  readonly spec: ImageSpec;
}

/** `POST /predict[/{model}]`: an image in, the best classes out. */
export async function predictRoutes(app: FastifyInstance, gateway: Gateway): Promise<void> {
  const { config, pipeline } = gateway;
  const { bodyLimitBytes } = config.server;
  const pool = gateway.repository.images;
  const versions = gateway.repository.models.flatMap((model) => model.ready);
  if (versions.some(({ image }) => image !== undefined)) pool.warmUp();
  acceptAnyBody(app, bodyLimitBytes, (request) => mayPassOn(gateway, request));
  await app.register(multipart, {
    limits: {
      fileSize: bodyLimitBytes,
      files: MAX_FILES,
      fields: MAX_FILES,
      fieldSize: 65_536,
      headerPairs: 100,
    },
  });

  const decode = async (
    uploads: () => Promise<readonly Uint8Array[]>,
    { arrivalMs, signal }: Call,
    version: Servable,
  ): Promise<ImageCall> => {
    const { image: spec, inputs } = version;
    const [input] = inputs;
    if (spec === undefined || input === undefined || inputs.length > 1) {
      throw new GatewayError(
        'no_image_calls',
        `model '${version.model}' takes no images: its configuration has no signalbox.image, or it has several inputs`,
      );
    }
    const files = await uploads();
    const recalled = await version.recall?.(files);
    if (recalled?.answer !== undefined) return { spec, inputs: [], answered: recalled.answer };
    const cacheKey = recalled?.key;
    if (version.takesFiles) return { spec, inputs: [stackFiles(input, files)], cacheKey };
    const images = await pool.toTensors({
      files,
      spec,
      maxPixels: config.limits.imagePixels,
      deadlineMs: arrivalMs + config.timeouts.inferenceMs,
      signal,
    });
    return { spec, inputs: [stackImages(input, images)], cacheKey };
  };

  const predict = async (request: FastifyRequest<{ Params: { model?: string } }>, reply: FastifyReply) => {
    const model = request.params.model ?? requireDefaultModel(gateway);
    const call = httpCall(request, { model }, ANSWERABLE_BY);
    // A form is read from its connection, which its parser leaves alone until somebody asks for the files.
    const received = request.isMultipart() ? await formOf(gateway, request) : request.body;
    const body = new CallBody(received as Uint8Array | IncomingMessage | undefined, bodyLimitBytes);
    let read: Promise<readonly Uint8Array[]> | undefined;
    const uploads = (): Promise<readonly Uint8Array[]> =>
      (read ??= readUploads(request, body, bodyLimitBytes));
    const answered = await pipeline.infer<ImageCall, object | UpstreamAnswer>(call, {
      decode: (version) => decode(uploads, call, version),
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
            return {
              request: await torchserveRequest(request, body, version, uploads),
              encode: (answer, target) => describeTorchserve(answer, target),
            };
        }
      },
      isSpent: () => body.isSpent,
      encode: (image, answer, target) => describeClasses(image, answer, target),
    });
    const { encoded } = answered;
    if ('status' in encoded) {
      passHead(reply, encoded);
      describeAnswer(reply, answered);
      passBody(reply, encoded);
      return;
    }
    describeAnswer(reply, answered);
    void reply.send(encoded);
  };
  app.post<{ Params: { model?: string } }>('/predict', scope('infer', 'rows'), predict);
  app.post<{ Params: { model?: string } }>('/predict/:model', scope('infer', 'rows'), predict);
}

/** TorchServe takes images as the body; v2 servers take tensors, which the gateway makes; others take the call as it is. */
const ANSWERABLE_BY = ['v2', 'torchserve', 'http'] as const;

/** Whether an image may go to a variant's server as it comes. */
function mayPassOn(gateway: Gateway, { params }: FastifyRequest): boolean {
  const { model = gateway.defaultModel } = params as { readonly model?: string };
  return model !== undefined && gateway.upstreams.passOn(model, 'http');
}

/** A form of the size that is held, where it may have to be sent and then be read here after all; else its connection. */
function formOf(gateway: Gateway, request: FastifyRequest): Promise<Uint8Array> | IncomingMessage {
  const { bodyLimitBytes } = gateway.config.server;
  const isHeld = mayPassOn(gateway, request) && !isLong(request.raw, bodyLimitBytes);
  return isHeld ? receiveBody(request.raw, bodyLimitBytes) : request.raw;
}

/** They are written anew for a body that isn't the caller's. */
const BODY_HEADERS: ReadonlySet<string> = new Set(['content-length', 'content-type']);

/** TorchServe's image handlers take one image, as the body. */
async function torchserveRequest(
  request: FastifyRequest,
  body: CallBody,
  version: UpstreamVersion,
  uploads: () => Promise<readonly Uint8Array[]>,
): Promise<UpstreamRequest> {
  const [image, ...others] = await uploads();
  if (image === undefined || others.length > 0) {
    throw new GatewayError(
      'invalid_request',
      `${others.length + 1} images were sent; the variant's server takes one at a time`,
    );
  }
  const { path, headers } = forwardedRequest(request, body, version, torchserveModelPath(version.definition));
  const kept = headers.filter((_, at) => !BODY_HEADERS.has(headers[at - (at % 2)] ?? ''));
  return {
    method: 'POST',
    path,
    headers: [...kept, 'content-type', 'application/octet-stream'],
    body: image,
    whole: true,
  };
}

function requireDefaultModel(gateway: Gateway): string {
  const model = gateway.defaultModel;
  if (model !== undefined) return model;
  const names = gateway.repository.models.map(({ name }) => name).join(', ') || 'none';
  throw new GatewayError(
    'invalid_request',
    `which model? There are: ${names}; call /predict/{model}, or set models.defaultModel`,
  );
}

/** @throws UpstreamFailure */
function describeTorchserve(answer: UpstreamAnswer, { version, choice }: Target): object {
  return {
    ...headOf(version, choice),
    predictions: readTorchserveClasses(answer, version.labels),
    inference_time_ms: Math.round(answer.computeMs * 1000) / 1000,
  };
}

function headOf({ model, version }: Servable, choice: Target['choice']): object {
  return {
    success: true,
    experiment: choice?.experiment.key ?? null,
    variant: choice?.variant.name ?? null,
    model,
    version: String(version),
  };
}

/** @throws GatewayError `non_finite_output` */
function describeClasses({ spec }: ImageCall, answer: InferAnswer, { version, choice }: Target): object {
  const [output] = answer.outputs;
  if (output === undefined || output.datatype === 'BYTES') {
    throw new GatewayError(
      'no_image_calls',
      `the first output of model '${version.model}' is not a list of scores`,
    );
  }
  const results = topClasses(output, spec, version.labels).map((classes) => ({
    predictions: classes.map(({ classId, label, confidence }) => ({ class_id: classId, label, confidence })),
  }));
  if (
    !results.every(({ predictions }) => predictions.every(({ confidence }) => Number.isFinite(confidence)))
  ) {
    throw new GatewayError(
      'non_finite_output',
      `the model's output '${output.name}' has NaN or infinite scores`,
    );
  }
  return {
    ...headOf(version, choice),
    ...(results.length === 1 ? results[0] : { results }),
    inference_time_ms: Math.round(answer.computeMs * 1000) / 1000,
  };
}
