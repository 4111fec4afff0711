import multipart from '@fastify/multipart';
import type { IncomingMessage } from 'node:http';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { labelsOf } from '../../../backends/class-labels.ts';
import type { ImageSpec } from '../../../backends/image/image-spec.ts';
import { stackFiles, stackImages } from '../../../backends/image/stack-images.ts';
import { topClasses } from '../../../backends/image/top-classes.ts';
import type { ClassScore } from '../../../backends/image/top-classes.ts';
import type { InferAnswer } from '../../../backends/inference.ts';
import type { Servable, VersionDescription } from '../../../backends/servable.ts';
import { GatewayError } from '../../errors.ts';
import type { Gateway } from '../../gateway.ts';
import type { Call, Decoded } from '../../pipeline/call.ts';
import { acceptAnyBody, isLong, receiveBody } from '../body.ts';
import { CallBody } from '../forwarded-call.ts';
import { FORM_LIMITS, isPartAFile } from './uploads.ts';

/** The images of a call, read. */
export interface ImageCall extends Decoded {
  /** How many. */
  readonly count: number;
  readonly spec: ImageSpec;
}

/** Whether a call may go to its variant's server as it comes. */
export type MayPassOn = (request: FastifyRequest) => boolean;

/** Lets an application take images, as forms or as bodies of any content type, and starts the threads that decode them. */
export async function acceptImages(
  app: FastifyInstance,
  { config, repository }: Gateway,
  mayPassOn: MayPassOn,
): Promise<void> {
  const { bodyLimitBytes } = config.server;
  const versions = repository.models.flatMap((model) => model.ready);
  if (versions.some(({ about: { image } }) => image !== undefined)) repository.images.warmUp();
  acceptAnyBody(app, bodyLimitBytes, mayPassOn);
  await app.register(multipart, {
    limits: { ...FORM_LIMITS, fileSize: bodyLimitBytes },
    isPartAFile,
  });
}

/** The body of a call that may be a form, which is read from its connection: its parser leaves it alone until somebody asks for the files. */
export async function imageBody(
  request: FastifyRequest,
  limitBytes: number,
  mayPassOn: MayPassOn,
): Promise<CallBody> {
  const received = request.isMultipart() ? await formOf(request, limitBytes, mayPassOn) : request.body;
  return new CallBody(received as Uint8Array | IncomingMessage | undefined, limitBytes, request.bodyHold);
}

/** A form of the size that is held, where it may have to be sent and then be read here after all; else its connection. */
function formOf(
  request: FastifyRequest,
  limitBytes: number,
  mayPassOn: MayPassOn,
): Promise<Uint8Array> | IncomingMessage {
  const isHeld = mayPassOn(request) && !isLong(request.raw, limitBytes);
  return isHeld ? receiveBody(request.raw, limitBytes, request.bodyHold) : request.raw;
}

/**
 * Makes the input of a version from images.
 *
 * @throws GatewayError `no_image_calls` where the version takes none
 */
export async function decodeImages(
  { config, repository }: Gateway,
  uploads: () => Promise<readonly Uint8Array[]>,
  call: Call,
  version: Servable,
): Promise<ImageCall> {
  const { image: spec, inputs } = version.about;
  const [input] = inputs;
  if (spec === undefined || input === undefined || inputs.length > 1) {
    throw new GatewayError(
      'no_image_calls',
      `model '${version.about.model}' takes no images: its configuration has no signalbox.image, or it has several inputs`,
    );
  }
  const files = await uploads();
  const count = files.length;
  const recalled = await version.recall?.(files);
  if (recalled?.answer !== undefined) return { spec, count, inputs: [], answered: recalled.answer };
  const cacheKey = recalled?.key;
  if (version.about.takesFiles) return { spec, count, inputs: [stackFiles(input, files)], cacheKey };
  const images = await repository.images.toTensors({
    files,
    spec,
    maxPixels: config.limits.imagePixels,
    deadlineMs: call.receivedMs + config.timeouts.inferenceMs,
    signal: call.signal,
  });
  return { spec, count, inputs: [stackImages(input, images)], cacheKey };
}

/**
 * The best classes of each image, best first.
 *
 * @throws GatewayError `non_finite_output`; `no_image_calls` where the first output is no list of scores
 */
export function classesOf(
  { spec, count }: ImageCall,
  { outputs: [output] }: InferAnswer,
  version: VersionDescription,
): readonly (readonly ClassScore[])[] {
  const { model, maxBatchSize } = version;
  if (output === undefined || output.datatype === 'BYTES') {
    throw new GatewayError('no_image_calls', `the first output of model '${model}' is not a list of scores`);
  }
  // The whole output of a model without a batch dimension is one image's, whatever its shape is.
  const isWhole = count === 1 && maxBatchSize === 0;
  if (!isWhole && output.shape[0] !== count) {
    throw new GatewayError(
      'no_image_calls',
      `the first output of model '${model}' has the shape [${output.shape.join(',')}], which is no row of scores ` +
        `for each image that was sent, ${count}`,
    );
  }
  const images = topClasses(output, spec, labelsOf(version, output.name), count);
  if (!images.every((classes) => classes.every(({ confidence }) => Number.isFinite(confidence)))) {
    throw new GatewayError(
      'non_finite_output',
      `the model's output '${output.name}' has NaN or infinite scores`,
    );
  }
  return images;
}
