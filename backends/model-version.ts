import { Batcher } from './batching/batcher.ts';
import type { ModelSignature } from './check.ts';
import { checkRequest } from './check.ts';
import { FaultIsolatingRunner } from './batching/fault-isolating-runner.ts';
import { BackendError } from './errors.ts';
import type { ImageSpec } from './image/image-spec.ts';
import type { BatchReport, InferAnswer, InferRequest } from './inference.ts';
import type { PlannedOutput } from './onnx/batch-layout.ts';
import { OnnxInstance } from './onnx/instance.ts';
import type { InstanceOptions } from './onnx/instance.ts';
import { planModel } from './onnx/plan.ts';
import { OnnxRunner } from './onnx/runner.ts';
import type { RunJournal } from './onnx/run-journal.ts';
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
  readonly faults?: FaultOptions;
  readonly events: BackendEvents;
}

/** How it is told that a run goes wrong. */
export interface FaultOptions {
  /** A run that takes longer counts as hung, in milliseconds; left out: it may take as long as it takes. */
  readonly runLimitMs?: number;
  /** What runs is written there, for whoever outlives a crash of the process; left out: nowhere. */
  readonly journal?: RunJournal;
}

/** What backends tell of what they do; called on the main thread, and must not throw. */
export interface BackendEvents {
  onBatch(report: BatchReport): void;
  onWorkerRestart(model: string, version: number, reason: string): void;
  /** An instance's run hangs, or has ended after all; of `wanted` instances, `hung` now hang. */
  onHang(model: string, version: number, hung: number, wanted: number): void;
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

  readonly #options: VersionOptions;
  readonly #batcher: Batcher;
  readonly #slabs = new SlabPool();
  readonly #plannedOutputs: readonly PlannedOutput[];
  readonly #instances = new Set<OnnxInstance>();
  /** Those whose run goes on past its limit. */
  readonly #hung = new Set<OnnxInstance>();
  readonly #closing = Promise.withResolvers<undefined>();
  #isClosing = false;
  #holders = 0;
  #unheld: PromiseWithResolvers<undefined> | undefined;

  /** @throws Error with the reason why the model can't be served */
  static async load(options: VersionOptions): Promise<ModelVersion> {
    const start = (): Promise<OnnxInstance> => OnnxInstance.start(instanceOptions(options));
    const first = await start();
    const instances = [first];
    try {
      const plan = await planModel(first, options.config.maxBatchSize);
      refuseUnreachable(options.config.preferredBatchSizes, plan.maxBatchSize);
      const version = new ModelVersion(options, first, plan.maxBatchSize, plan.outputs);
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
    maxBatchSize: number,
    plannedOutputs: readonly PlannedOutput[],
  ) {
    this.#options = options;
    this.model = options.model;
    this.version = options.version;
    this.labels = options.labels;
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

  /** Instances that can be given work, and those that hang, of how many there should be. */
  get instances(): { readonly ready: number; readonly hung: number; readonly wanted: number } {
    const hung = this.#hung.size;
    return { ready: this.#instances.size - hung, hung, wanted: this.#options.config.instances };
  }

  /** Slabs whose memory is lent: 0 when nothing is in flight. */
  get lentSlabs(): number {
    return this.#slabs.lent;
  }

  /** @throws BackendError */
  async infer(request: InferRequest): Promise<InferAnswer> {
    const checked = checkRequest(this, request);
    if (this.#hung.size >= this.#options.config.instances) throw this.#allHang();
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
    const runner = new FaultIsolatingRunner(
      new OnnxRunner(instance, {
        slabs: this.#slabs,
        outputs: this.#plannedOutputs,
        batches: this.maxBatchSize > 0,
        runLimitMs: this.#options.faults?.runLimitMs,
        onHung: () => {
          this.#hung.add(instance);
          this.#tellHang();
          if (this.#hung.size >= this.#options.config.instances) this.#batcher.failQueued(this.#allHang());
        },
        onRecovered: () => {
          this.#hung.delete(instance);
          this.#tellHang();
          this.#batcher.addRunner(runner);
        },
      }),
    );
    this.#instances.add(instance);
    this.#batcher.addRunner(runner);
    void instance.died.then((reason) => {
      this.#instances.delete(instance);
      this.#hung.delete(instance);
      this.#batcher.removeRunner(runner);
      return this.#replace(reason);
    });
  }

  #tellHang(): void {
    const { model, version, config, events } = this.#options;
    events.onHang(model, version, this.#hung.size, config.instances);
  }

  #allHang(): BackendError {
    return new BackendError(
      'unavailable',
      `model '${this.model}' version ${this.version} is not ready: a run of each of its instances hangs`,
    );
  }

  /** Starts a worker in the place of one that died, until it succeeds or the version is closed. */
  async #replace(reason: string): Promise<void> {
    const { model, version, events } = this.#options;
    let why = reason;
    while (!this.#isClosing) {
      events.onWorkerRestart(model, version, why);
      try {
        const instance = await OnnxInstance.start(instanceOptions(this.#options));
        // The version may have been closed while the worker started.
        if (this.#wasClosed()) await instance.close();
        else this.#adopt(instance);
        return;
      } catch (error) {
        why = error instanceof Error ? error.message : String(error);
        if (this.instances.ready === 0) this.#batcher.failQueued(new BackendError('unavailable', why));
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

function instanceOptions({ modelFile, threads, faults }: VersionOptions): InstanceOptions {
  return { modelFile, threads, ...(faults?.journal !== undefined && { journal: faults.journal }) };
}

/** A preferred size above the largest batch would never be reached: a mistake that would otherwise show as waiting. */
function refuseUnreachable(preferredBatchSizes: readonly number[], maxBatchSize: number): void {
  const unreachable = preferredBatchSizes.find((rows) => rows > maxBatchSize);
  if (unreachable === undefined) return;
  throw new Error(
    `preferred_batch_size has ${unreachable}, but the model's max_batch_size is ${maxBatchSize}`,
  );
}
