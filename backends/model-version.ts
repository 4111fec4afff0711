import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { Batcher } from './batching/batcher.ts';
import type { ModelSignature } from './check.ts';
import { checkRequest } from './check.ts';
import { BackendError } from './errors.ts';
import type { ImageSpec } from './image/image-spec.ts';
import type { BatchReport, InferAnswer, InferRequest } from './inference.ts';
import type { PlannedOutput } from './onnx/batch-layout.ts';
import { OnnxInstance } from './onnx/instance.ts';
import { planModel } from './onnx/plan.ts';
import { OnnxRunner } from './onnx/runner.ts';
import { SlabPool } from './onnx/slab.ts';
import type { ModelConfig } from './repository/model-config.ts';

export interface VersionOptions {
  readonly model: string;
  readonly version: number;
  /** Absolute path of its `model.onnx`. */
  readonly modelFile: string;
  readonly config: ModelConfig;
  /** One label a class, in the classes' order. */
  readonly labels: readonly string[];
  /** Threads that one run may use, >= 1. */
  readonly threads: number;
  readonly events: BackendEvents;
}

/** What backends tell of what they do; called on the main thread, and must not throw. */
export interface BackendEvents {
  onBatch(report: BatchReport): void;
  onWorkerRestart(model: string, version: number, reason: string): void;
}

/** Requests that may wait for a version; the memory they hold is the callers' own. */
const MAX_QUEUED_REQUESTS = 4096;

/** Time between two tries to replace a worker that can't be started. */
const RESTART_DELAY_MS = 1000;

/** One loaded version of a model: its instances and the batcher they pull from. */
export class ModelVersion implements ModelSignature {
  readonly model: string;
  readonly version: number;
  readonly inputs: ModelSignature['inputs'];
  readonly outputs: ModelSignature['outputs'];
  readonly maxBatchSize: number;
  readonly labels: readonly string[];
  readonly image: ImageSpec | undefined;
  /** SHA-256 of the model's file, in hexadecimal: which bytes answered. */
  readonly digest: string;

  readonly #options: VersionOptions;
  readonly #batcher: Batcher;
  readonly #slabs = new SlabPool();
  readonly #plannedOutputs: readonly PlannedOutput[];
  readonly #instances = new Set<OnnxInstance>();
  readonly #closing = Promise.withResolvers<undefined>();
  #isClosing = false;
  #holders = 0;
  #unheld: PromiseWithResolvers<undefined> | undefined;

  /** @throws Error with the reason why the model can't be served */
  static async load(options: VersionOptions): Promise<ModelVersion> {
    const start = (): Promise<OnnxInstance> =>
      OnnxInstance.start({ modelFile: options.modelFile, threads: options.threads });
    const first = await start();
    const instances = [first];
    try {
      const plan = await planModel(first, options.config.maxBatchSize);
      refuseUnreachable(options.config.preferredBatchSizes, plan.maxBatchSize);
      const digest = await digestOf(options.modelFile);
      const version = new ModelVersion(options, first, digest, plan.maxBatchSize, plan.outputs);
      for (let count = 1; count < options.config.instances; count++) instances.push(await start());
      for (const instance of instances) version.#adopt(instance);
      return version;
    } catch (error) {
      await Promise.all(instances.map((instance) => instance.close()));
      throw error;
    }
  }

  private constructor(
    options: VersionOptions,
    first: OnnxInstance,
    digest: string,
    maxBatchSize: number,
    plannedOutputs: readonly PlannedOutput[],
  ) {
    this.#options = options;
    this.model = options.model;
    this.version = options.version;
    this.labels = options.labels;
    this.digest = digest;
    this.image = options.config.image;
    this.inputs = first.inputs;
    this.outputs = first.outputs;
    this.maxBatchSize = maxBatchSize;
    this.#plannedOutputs = plannedOutputs;
    const { model, version, events } = options;
    this.#batcher = new Batcher({
      maxRows: Math.max(1, maxBatchSize),
      maxQueueDelayMs: maxBatchSize > 1 ? options.config.maxQueueDelayMs : 0,
      preferredRows: options.config.preferredBatchSizes,
      maxQueuedRequests: MAX_QUEUED_REQUESTS,
      onBatch: (rows, reason) => {
        events.onBatch({ model, version, rows, reason });
      },
    });
  }

  /** Requests that wait for an instance. */
  get queued(): number {
    return this.#batcher.queued;
  }

  /** Instances that live, of how many there should be. */
  get instances(): { readonly ready: number; readonly wanted: number } {
    return { ready: this.#instances.size, wanted: this.#options.config.instances };
  }

  /** Slabs whose memory is lent: 0 when nothing is in flight. */
  get lentSlabs(): number {
    return this.#slabs.lent;
  }

  /** @throws BackendError */
  async infer(request: InferRequest): Promise<InferAnswer> {
    const checked = checkRequest(this, request);
    return this.#batcher.submit(checked.request, checked.rows, checked.lane);
  }

  /**
   * Keeps the version loaded, from the moment it was chosen for a request until that request is answered.
   *
   * @returns ends the hold; to be called once
   */
  hold(): () => void {
    this.#holders += 1;
    return () => {
      this.#holders -= 1;
      if (this.#holders === 0) this.#unheld?.resolve(undefined);
    };
  }

  /** Answers all that hold it or wait for it, then frees its workers and memory. */
  async close(): Promise<void> {
    if (this.#holders > 0) {
      this.#unheld = Promise.withResolvers<undefined>();
      await this.#unheld.promise;
    }
    await this.#batcher.drain();
    this.#isClosing = true;
    this.#closing.resolve(undefined);
    await Promise.all([...this.#instances].map((instance) => instance.close()));
  }

  #adopt(instance: OnnxInstance): void {
    const runner = new OnnxRunner(instance, this.#slabs, this.#plannedOutputs, this.maxBatchSize > 0);
    this.#instances.add(instance);
    this.#batcher.addRunner(runner);
    void instance.died.then((reason) => {
      this.#instances.delete(instance);
      this.#batcher.removeRunner(runner);
      return this.#replace(reason);
    });
  }

  /** Starts a worker in the place of one that died, until it succeeds or the version is closed. */
  async #replace(reason: string): Promise<void> {
    const { model, version, modelFile, threads, events } = this.#options;
    let why = reason;
    while (!this.#isClosing) {
      events.onWorkerRestart(model, version, why);
      try {
        const instance = await OnnxInstance.start({ modelFile, threads });
        // The version may have been closed while the worker started.
        if (this.#wasClosed()) await instance.close();
        else this.#adopt(instance);
        return;
      } catch (error) {
        why = error instanceof Error ? error.message : String(error);
        if (this.#instances.size === 0) this.#batcher.failQueued(new BackendError('unavailable', why));
        await this.#pauseBeforeRestart();
      }
    }
  }

  #wasClosed(): boolean {
    return this.#isClosing;
  }

  /** Ends early when the version is closed. */
  async #pauseBeforeRestart(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const waited = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, RESTART_DELAY_MS);
    });
    await Promise.race([waited, this.#closing.promise]);
    clearTimeout(timer);
  }
}

async function digestOf(file: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

/** A preferred size above the largest batch would never be reached: a mistake that would otherwise show as waiting. */
function refuseUnreachable(preferredBatchSizes: readonly number[], maxBatchSize: number): void {
  const unreachable = preferredBatchSizes.find((rows) => rows > maxBatchSize);
  if (unreachable === undefined) return;
  throw new Error(
    `preferred_batch_size has ${unreachable}, but the model's max_batch_size is ${maxBatchSize}`,
  );
}
