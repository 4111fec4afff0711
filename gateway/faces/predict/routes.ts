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
import { acceptAnyBody } from '../body.ts';
import { describeAnswer } from '../answer-headers.ts';
import { httpCall } from '../http-call.ts';
import { scope } from '../scoped-routes.ts';
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
  acceptAnyBody(app, bodyLimitBytes);
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
    request: FastifyRequest,
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
    const files = await readUploads(request, bodyLimitBytes);
    if (version.takesFiles) return { spec, inputs: [stackFiles(input, files)] };
    const images = await pool.toTensors({
      files,
      spec,
      maxPixels: config.limits.imagePixels,
      deadlineMs: arrivalMs + config.timeouts.inferenceMs,
      signal,
    });
    return { spec, inputs: [stackImages(input, images)] };
  };

  const predict = async (request: FastifyRequest<{ Params: { model?: string } }>, reply: FastifyReply) => {
    const model = request.params.model ?? requireDefaultModel(gateway);
    const call = httpCall(request, { model });
    const answered = await pipeline.infer(call, {
      decode: (version) => decode(request, call, version),
      encode: (read, answer, target) => describeClasses(read, answer, target),
    });
    describeAnswer(reply, answered);
    return reply.send(answered.encoded);
  };
  app.post<{ Params: { model?: string } }>('/predict', scope('infer', 'rows'), predict);
  app.post<{ Params: { model?: string } }>('/predict/:model', scope('infer', 'rows'), predict);
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
    success: true,
    experiment: choice?.experiment.key ?? null,
    variant: choice?.variant.name ?? null,
    model: version.model,
    version: String(version.version),
    ...(results.length === 1 ? results[0] : { results }),
    inference_time_ms: Math.round(answer.computeMs * 1000) / 1000,
  };
}
