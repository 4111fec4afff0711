import { availableParallelism } from 'node:os';
import { dirname } from 'node:path';
import { Batcher } from './batching/batcher.ts';
import { checkRequest } from './check.ts';
import type { ClassLabels } from './class-labels.ts';
import { resolveSignature, statedBatchSize } from './declared-signature.ts';
import type { GraphSignature } from './declared-signature.ts';
import { FaultIsolatingRunner } from './batching/fault-isolating-runner.ts';
import { faultOf } from './fault-of.ts';
import { Holders } from './holders.ts';
import { imageFaults } from './image/fits-input.ts';
import type { BatchReport, InferAnswer, InferRequest } from './inference.ts';
import type { PlannedOutput } from './onnx/batch-layout.ts';
import { batchSizes } from './onnx/batch-sizes.ts';
import { OnnxInstance } from './onnx/instance.ts';
import type { InstanceOptions } from './onnx/instance.ts';
import { InstanceCrew } from './onnx/instance-crew.ts';
import type { RunEvents } from './onnx/instance-crew.ts';
import { nameOf, preparesForShapes } from './onnx/providers/execution-provider.ts';
import type { ExecutionProvider } from './onnx/providers/execution-provider.ts';
import type { FindGpus } from './onnx/providers/gpu-providers.ts';
import { placeVersion } from './onnx/providers/placement.ts';
import type { Placement } from './onnx/providers/placement.ts';
import { timePerRow } from './onnx/providers/timing.ts';
import { planModel } from './onnx/plan.ts';
import type { ModelPlan } from './onnx/plan.ts';
import { OnnxRunner } from './onnx/runner.ts';
import type { RunJournal } from './onnx/run-journal.ts';
import { SlabPool } from './onnx/slab.ts';
import type { ModelConfig } from './repository/model-config.ts';
import { StatisticsRecorder } from './statistics.ts';
import type { VersionStatistics } from './statistics.ts';
import type { InstanceCounts, Servable, VersionDescription } from './servable.ts';
import { Device } from './scheduling/device.ts';
import { threadBudget } from './scheduling/thread-budget.ts';
import type { ThreadBudget } from './scheduling/thread-budget.ts';
import { answerFromGraph, planReshapes, requestToGraph, toGraph } from './reshape.ts';
import type { Reshapes } from './reshape.ts';
import { prepareSamples, warmSizes, warmUp } from './warmup/warm-up.ts';
import type { PreparedSample } from './warmup/warm-up.ts';

export interface VersionOptions extends ClassLabels {
  readonly model: string;
  readonly version: number;
  /** Absolute path of its model, in the version's folder in the model's folder. */
  readonly modelFile: string;
  /** The sha256 of its files, as hexadecimal. */
  readonly digest: string;
  readonly config: ModelConfig;
  /** Threads that one run may use, >= 1, where the configuration asks for no number. */
  readonly threads: number;
  /** The processor that it shares with other versions; left out: one of its own, of all cores. */
  readonly device?: Device;
  /** How GPUs are found; left out: there are none. */
  readonly findGpus?: FindGpus;
  readonly faults?: FaultOptions;
  readonly events: BackendEvents;
}

/** How it is told that a run goes wrong. */
export interface FaultOptions {
  /** A run that takes longer counts as hung, in milliseconds; left out: it may take as long as it takes. */
  readonly runLimitMs?: number;
  /** Of each run before it has callers, a warm-up among them, in milliseconds; left out: it may take as long as it takes. */
  readonly warmupLimitMs?: number;
  /** What runs is written there, for whoever outlives a crash of the process; left out: nowhere. */
  readonly journal?: RunJournal;
}

/** What backends tell of what they do; called on the main thread, and must not throw. */
export interface BackendEvents {
  onBatch(report: BatchReport): void;
  onWorkerRestart(model: string, version: number, reason: string): void;
  /** An instance's run hangs, or has ended after all; of `wanted` instances, `hung` now hang. */
  onHang(model: string, version: number, hung: number, wanted: number): void;
  /**
   * A version is loaded that processes before this one died under; left out: nobody asks.
   *
   * @param atMs when each of them died, in milliseconds of `Date.now()`
   */
  onProcessDeaths?(model: string, version: number, atMs: readonly number[]): void;
  /** A version that is loaded was placed on a device, and why there: once for each load. */
  onPlacement(model: string, version: number, provider: string, why: string): void;
}

/** What loading has found out. */
interface Prepared {
  readonly placement: Placement;
  readonly budget: ThreadBudget;
  readonly signature: GraphSignature;
  readonly plan: ModelPlan;
  readonly samples: readonly PreparedSample[];
  readonly reshapes: Reshapes | undefined;
}

/** One loaded version of an ONNX model: its instances and the batcher they pull from. */
export class ModelVersion implements Servable {
  readonly about: VersionDescription;

  readonly #options: VersionOptions;
  readonly #batcher: Batcher;
  readonly #slabs = new SlabPool();
  readonly #statistics = new StatisticsRecorder();
  readonly #plannedOutputs: readonly PlannedOutput[];
  readonly #threads: number;
  readonly #placement: Placement;
  /** The batch sizes that it is run with; empty: any. */
  readonly #sizes: readonly number[];
  readonly #crew: InstanceCrew;
  readonly #samples: readonly PreparedSample[];
  readonly #reshapes: Reshapes | undefined;
  readonly #holders = new Holders();

  /**
   * Loads the model in every instance and runs each with the warm-up samples.
   *
   * @throws Error with the reason why the model can't be served
   */
  static async load(options: VersionOptions): Promise<ModelVersion> {
    const { config } = options;
    const device = options.device ?? new Device(availableParallelism());
    const cpuBudget = threadBudget(device.threads, config.instances, options.threads, config.threads);
    const placement = await placeVersion({
      groups: config.instanceGroups,
      instances: config.instances,
      tensorrt: config.tensorrt,
      cpu: device,
      findGpus: options.findGpus ?? (() => Promise.resolve([])),
      time: (provider) => timeOn(options, provider, cpuBudget.threads),
    });
    const { instances: count } = placement;
    const budget = placement.device === device ? cpuBudget : ON_GPU;
    const start = (index: number): Promise<OnnxInstance> =>
      OnnxInstance.start(instanceOptions(options, budget.threads, providerOf(placement, index)));
    const first = await start(0);
    const instances = [first];
    try {
      const plan = await planModel(first, statedBatchSize(config, first), options.faults?.warmupLimitMs);
      refuseUnreachable(config.batching.preferredBatchSizes, plan.maxBatchSize);
      const signature = resolveSignature(config, first, plan.maxBatchSize);
      const faults = config.image === undefined ? [] : imageFaults(config.image, signature.inputs);
      if (faults.length > 0) throw new Error(`signalbox.image does not fit the model: ${faults.join('; ')}`);
      const reshapes = planReshapes(config.inputs, config.outputs, plan.maxBatchSize > 0);
      const prepared = await prepareSamples(config.warmup, {
        inputs: signature.inputs,
        maxBatchSize: plan.maxBatchSize,
        directory: dirname(dirname(options.modelFile)),
        random: Math.random,
      });
      const samples =
        reshapes === undefined
          ? prepared
          : prepared.map((sample) => ({ ...sample, inputs: toGraph(reshapes, sample.inputs) }));
      for (let index = 1; index < count; index++) instances.push(await start(index));
      for (const instance of instances) {
        await warmUp(instance, samples, options.faults?.warmupLimitMs);
        await warmSizes(instance, sizesOf(placement, plan.maxBatchSize), options.faults?.warmupLimitMs);
      }
      const version = new ModelVersion(options, { placement, budget, signature, plan, samples, reshapes });
      for (const instance of instances) version.#crew.adopt(instance);
      options.events.onPlacement(options.model, options.version, providersOf(placement), placement.why);
      const deaths = options.faults?.journal?.deathsUnder(options.modelFile) ?? [];
      if (deaths.length > 0) options.events.onProcessDeaths?.(options.model, options.version, deaths);
      return version;
    } catch (error) {
      await Promise.all(instances.map((instance) => instance.leave()));
      throw error;
    }
  }

  private constructor(
    options: VersionOptions,
    { placement, budget, signature, plan, samples, reshapes }: Prepared,
  ) {
    const { maxBatchSize } = plan;
    this.#options = options;
    this.#threads = budget.threads;
    this.#placement = placement;
    this.#sizes = sizesOf(placement, maxBatchSize);
    this.#samples = samples;
    this.#reshapes = reshapes;
    this.about = {
      model: options.model,
      version: options.version,
      platform: 'onnxruntime_onnx',
      provider: providersOf(placement),
      inputs: signature.inputs,
      outputs: signature.outputs,
      maxBatchSize,
      labels: options.labels,
      outputLabels: options.outputLabels,
      image: options.config.image,
      takesFiles: false,
      config: options.config,
      digest: options.digest,
    };
    this.#plannedOutputs = signature.outputs.flatMap(
      ({ name }) => plan.outputs.find(({ spec }) => spec.name === name) ?? [],
    );
    const { model, version, events } = options;
    const { batching } = options.config;
    this.#batcher = new Batcher({
      maxRows: Math.max(1, maxBatchSize),
      batching,
      device: placement.device,
      permits: budget.permits,
      onBatch: (rows, reason) => {
        events.onBatch({ model, version, rows, reason });
      },
    });
    this.#crew = new InstanceCrew({
      model,
      version,
      wanted: placement.instances,
      batcher: this.#batcher,
      start: (index) => this.#start(index),
      runnerOf: (instance, runEvents) => this.#runnerOf(instance, runEvents),
      onRestart: (reason) => {
        events.onWorkerRestart(model, version, reason);
      },
      onHang: (hung, wanted) => {
        events.onHang(model, version, hung, wanted);
      },
    });
  }

  get queued(): number {
    return this.#batcher.queued;
  }

  get longestWaitMs(): number {
    return this.#batcher.longestWaitMs;
  }

  get expectedWaitMs(): number | undefined {
    return this.#batcher.expectedWaitMs;
  }

  get instances(): InstanceCounts {
    return this.#crew.counts;
  }

  hasRoomFor(rows: number): boolean {
    return this.#batcher.hasRoomFor(rows);
  }

  /** Slabs whose memory is lent: 0 when nothing is in flight. */
  get lentSlabs(): number {
    return this.#slabs.lent;
  }

  get statistics(): VersionStatistics {
    return this.#statistics.read();
  }

  /** @throws BackendError */
  async infer(request: InferRequest): Promise<InferAnswer> {
    const checked = checkRequest(this.about, request);
    this.#crew.refuseWhereAllHang();
    const reshapes = this.#reshapes;
    const asked = reshapes === undefined ? checked.request : requestToGraph(reshapes, checked.request);
    const startMs = performance.now();
    try {
      const answer = await this.#batcher.submit(asked, checked.rows, checked.lane);
      this.#statistics.recordSuccess(performance.now() - startMs, answer.queueMs);
      return reshapes === undefined ? answer : answerFromGraph(reshapes, answer);
    } catch (error) {
      this.#statistics.recordFailure(faultOf(error), performance.now() - startMs);
      throw error;
    }
  }

  hold(): () => void {
    return this.#holders.hold();
  }

  /**
   * Changes the number of instances while it serves: grows by starting workers, shrinks by having one after the other
   * finish its batch. No request is lost. One change at a time: a call during another waits for it.
   *
   * @param count >= 1
   * @throws RangeError where the count is no whole number above 0; Error where a worker can't be started (those that were
   *   started stay) or the version is closed
   */
  resize(count: number): Promise<void> {
    return this.#crew.resize(count);
  }

  async close(): Promise<void> {
    await this.#holders.left();
    await this.#batcher.drain();
    await this.#crew.close();
  }

  /** Starts a worker and warms it up. */
  async #start(index: number): Promise<OnnxInstance> {
    const provider = providerOf(this.#placement, index);
    const instance = await OnnxInstance.start(instanceOptions(this.#options, this.#threads, provider));
    try {
      await warmUp(instance, this.#samples, this.#options.faults?.warmupLimitMs);
      await warmSizes(instance, this.#sizes, this.#options.faults?.warmupLimitMs);
      return instance;
    } catch (error) {
      await instance.leave();
      throw error;
    }
  }

  #runnerOf(instance: OnnxInstance, events: RunEvents): FaultIsolatingRunner {
    return new FaultIsolatingRunner(
      new OnnxRunner(instance, {
        slabs: this.#slabs,
        outputs: this.#plannedOutputs,
        batches: this.about.maxBatchSize > 0,
        sizes: this.#sizes,
        statistics: this.#statistics,
        runLimitMs: this.#options.faults?.runLimitMs,
        ...events,
      }),
    );
  }
}

/** On a GPU a run takes one thread of the processor, which only hands it over, and one of the runs that the device has at once. */
const ON_GPU: ThreadBudget = { threads: 1, permits: 1 };

function sizesOf({ providers }: Placement, maxBatchSize: number): readonly number[] {
  return maxBatchSize > 0 && providers.some(preparesForShapes) ? batchSizes(maxBatchSize) : [];
}

/** As `cpu`, `webgpu` or `cuda:0`, several in a row. */
function providersOf({ providers }: Placement): string {
  return providers.map(nameOf).join(', ');
}

function providerOf({ providers }: Placement, index: number): ExecutionProvider {
  return providers[index % providers.length] ?? providers[0];
}

/** Loads the model there, for as long as it takes to time it. */
async function timeOn(
  options: VersionOptions,
  provider: ExecutionProvider,
  threads: number,
): Promise<number> {
  const instance = await OnnxInstance.start(instanceOptions(options, threads, provider));
  try {
    const limitMs = options.faults?.warmupLimitMs;
    const { maxBatchSize } = await planModel(instance, statedBatchSize(options.config, instance), limitMs);
    return await timePerRow(instance, maxBatchSize > 0 ? maxBatchSize : undefined, limitMs);
  } finally {
    await instance.leave();
  }
}

function instanceOptions(
  { modelFile, faults }: VersionOptions,
  threads: number,
  provider: ExecutionProvider,
): InstanceOptions {
  return {
    modelFile,
    threads,
    provider,
    ...(faults?.journal !== undefined && { journal: faults.journal }),
  };
}

/** A preferred size above the largest batch would never be reached: a mistake that would otherwise show as waiting. */
function refuseUnreachable(preferredBatchSizes: readonly number[], maxBatchSize: number): void {
  const unreachable = preferredBatchSizes.find((rows) => rows > maxBatchSize);
  if (unreachable === undefined) return;
  throw new Error(
    `preferred_batch_size has ${unreachable}, but the model's max_batch_size is ${maxBatchSize}`,
  );
}
