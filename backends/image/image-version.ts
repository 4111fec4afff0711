import type { ModelSignature } from '../check.ts';
import { checkRequest } from '../check.ts';
import { BackendError } from '../errors.ts';
import { faultOf } from '../fault-of.ts';
import { Holders } from '../holders.ts';
import type { InferAnswer, InferRequest } from '../inference.ts';
import { newBatchId } from '../batching/batch-id.ts';
import type { ModelConfig } from '../repository/model-config.ts';
import type { Servable, VersionDescription } from '../servable.ts';
import { StatisticsRecorder } from '../statistics.ts';
import type { VersionStatistics } from '../statistics.ts';
import type { Tensor, TensorSpec } from '../tensor/tensor.ts';
import type { ImagePool } from './image-pool.ts';
import type { ImageSpec } from './image-spec.ts';
import { InvalidImage } from './invalid-image.ts';
import { stackImages } from './stack-images.ts';

export interface ImageVersionOptions {
  readonly model: string;
  readonly version: number;
  readonly digest: string;
  /** Its `signalbox.image`, and one input and output, are there: see `readBackend`. */
  readonly config: ModelConfig;
  readonly images: ImagePool;
  /** Pixels (width x height) of an image that are decoded at the most. */
  readonly maxPixels: number;
}

/** Rows of a request where the configuration says nothing. */
const DEFAULT_MAX_BATCH_SIZE = 32;

/**
 * A model that turns encoded images into tensors, as `signalbox.image` says: the first step of an ensemble that takes images.
 * Its requests share the threads that decode uploads, image by image; nothing waits for a batch.
 */
export class ImageVersion implements Servable {
  readonly about: VersionDescription;
  readonly instances = undefined;

  readonly #options: ImageVersionOptions;
  readonly #spec: ImageSpec;
  readonly #output: TensorSpec;
  readonly #statistics = new StatisticsRecorder();
  readonly #holders = new Holders();
  #waiting = 0;

  /** @throws Error where the configuration lacks what an image model needs */
  constructor(options: ImageVersionOptions) {
    const { config, model, version, digest } = options;
    const [input] = config.inputs ?? [];
    const [output] = config.outputs ?? [];
    if (config.image === undefined || input === undefined || output === undefined)
      throw new Error('an image model needs signalbox.image, one input and one output');
    this.#options = options;
    this.#spec = config.image;
    const maxBatchSize = config.maxBatchSize ?? DEFAULT_MAX_BATCH_SIZE;
    const shapeOf = (dims: readonly number[]): readonly number[] => (maxBatchSize > 0 ? [-1, ...dims] : dims);
    this.#output = { name: output.name, datatype: output.datatype, shape: shapeOf(output.dims) };
    this.about = {
      model,
      version,
      platform: 'image',
      inputs: [{ name: input.name, datatype: input.datatype, shape: shapeOf(input.dims) }],
      outputs: [this.#output],
      maxBatchSize,
      takesAnyBytes: true,
      labels: [],
      // Its answers are pixels, which are no scores: image calls need the model behind it.
      image: undefined,
      takesFiles: true,
      config,
      digest,
    };
  }

  /** Images that wait, or are being decoded. */
  get queued(): number {
    return this.#waiting;
  }

  /** What an image costs differs too much to tell. */
  get expectedWaitMs(): undefined {
    return undefined;
  }

  get statistics(): VersionStatistics {
    return this.#statistics.read();
  }

  hasRoomFor(): boolean {
    return this.#options.images.isIdle;
  }

  async infer(request: InferRequest): Promise<InferAnswer> {
    const { request: checked, rows } = checkRequest(this.about, request);
    const startMs = performance.now();
    this.#waiting += rows;
    try {
      const files = filesOf(checked.inputs[0], rows, this.about);
      const { deadlineMs, signal } = request;
      const { images, maxPixels } = this.#options;
      const tensors = await images.toTensors({ files, spec: this.#spec, maxPixels, deadlineMs, signal });
      const output = stackImages(this.#output, tensors);
      this.#checkShape(output);
      const computeMs = performance.now() - startMs;
      this.#statistics.recordExecution(1, rows, { inputMs: 0, inferMs: computeMs, outputMs: 0 });
      this.#statistics.recordSuccess(computeMs, 0);
      return {
        outputs: [output],
        queueMs: 0,
        computeMs,
        batchRows: rows,
        batchId: newBatchId(),
        release: () => undefined,
      };
    } catch (error) {
      this.#statistics.recordFailure(faultOf(error), performance.now() - startMs);
      throw error;
    } finally {
      this.#waiting -= rows;
    }
  }

  hold(): () => void {
    return this.#holders.hold();
  }

  close(): Promise<void> {
    return this.#holders.left();
  }

  #checkShape({ shape }: Tensor): void {
    const fits = shape.every((size, axis) => [-1, size].includes(this.#output.shape[axis] ?? 0));
    if (fits && shape.length === this.#output.shape.length) return;
    throw new InvalidImage(
      'unlike',
      `the image becomes a tensor of the shape [${shape.join(',')}], but output '${this.#output.name}' of model ` +
        `'${this.about.model}' is [${this.#output.shape.join(',')}]; set signalbox.image.resize and crop, or its dims`,
    );
  }
}

const encoder = new TextEncoder();

/** Each image in memory of its own, which the pool hands over to a thread: the input may be another step's too. */
function filesOf(
  input: Tensor | undefined,
  rows: number,
  { model }: Pick<ModelSignature, 'model'>,
): readonly Uint8Array[] {
  if (input?.datatype === 'BYTES') {
    return input.data.map((file) =>
      typeof file === 'string' ? encoder.encode(file) : Uint8Array.from(file),
    );
  }
  if (input?.datatype !== 'UINT8') throw new BackendError('invalid_input', `model '${model}' takes images`);
  const bytes = new Uint8Array(input.data.buffer, input.data.byteOffset, input.data.byteLength);
  const perRow = bytes.length / rows;
  return Array.from({ length: rows }, (_, row) =>
    Uint8Array.from(bytes.subarray(row * perRow, (row + 1) * perRow)),
  );
}
