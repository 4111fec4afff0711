import { checkRequest } from '../check.ts';
import type { ClassLabels } from '../class-labels.ts';
import { faultOf } from '../fault-of.ts';
import { Holders } from '../holders.ts';
import type { ImageSpec } from '../image/image-spec.ts';
import type { InferAnswer, InferRequest } from '../inference.ts';
import type { ModelConfig } from '../repository/model-config.ts';
import type { Servable, VersionDescription } from '../servable.ts';
import { StatisticsRecorder } from '../statistics.ts';
import type { VersionStatistics } from '../statistics.ts';
import type { Tensor, TensorSpec } from '../tensor/tensor.ts';
import { planSteps } from './ensemble-plan.ts';
import type { BoundStep, EnsemblePlan } from './ensemble-plan.ts';
import { EnsembleRun } from './ensemble-run.ts';

export interface EnsembleVersionOptions extends ClassLabels {
  readonly model: string;
  readonly version: number;
  readonly digest: string;
  readonly config: ModelConfig;
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  readonly maxBatchSize: number;
  /** Whether an input goes to a step that decodes images, and how it does. */
  readonly decodes: ImageSpec | undefined;
  /** They fit each other: see `bindEnsemble`. */
  readonly steps: readonly BoundStep[];
}

/**
 * A version of an ensemble over certain versions of its steps' models, which it keeps loaded. Where one of those is replaced,
 * another `EnsembleVersion` takes its place, and this one answers what it has.
 */
export class EnsembleVersion implements Servable {
  readonly about: VersionDescription;
  readonly instances = undefined;
  /** Requests wait in the queues of its steps' models. */
  readonly queued = 0;

  /** What its members' queues come to: the steps wait one after the other. */
  get expectedWaitMs(): number {
    let ms = 0;
    for (const member of this.members) ms += member.expectedWaitMs ?? 0;
    return ms;
  }

  readonly members: readonly Servable[];

  readonly #steps: readonly BoundStep[];
  readonly #wholePlan: EnsemblePlan;
  readonly #statistics = new StatisticsRecorder();
  readonly #holders = new Holders();
  readonly #held: readonly (() => void)[];

  constructor(options: EnsembleVersionOptions) {
    const { config, decodes, steps } = options;
    this.about = {
      model: options.model,
      version: options.version,
      platform: 'ensemble',
      inputs: options.inputs,
      outputs: options.outputs,
      maxBatchSize: options.maxBatchSize,
      takesAnyBytes: true,
      labels: options.labels,
      outputLabels: options.outputLabels,
      image: decodes ?? config.image,
      takesFiles: decodes !== undefined,
      config,
      digest: options.digest,
    };
    this.members = steps.map(({ member }) => member);
    this.#steps = steps;
    this.#wholePlan = this.#planFor(options.outputs.map(({ name }) => name));
    this.#held = this.members.map((member) => member.hold());
  }

  get statistics(): VersionStatistics {
    return this.#statistics.read();
  }

  hasRoomFor(rows: number): boolean {
    return this.members.every((member) => member.hasRoomFor(rows));
  }

  async infer(request: InferRequest): Promise<InferAnswer> {
    const { request: checked, rows } = checkRequest(this.about, request);
    const wanted = request.outputs ?? this.about.outputs.map(({ name }) => name);
    const plan = request.outputs === undefined ? this.#wholePlan : this.#planFor(wanted);
    const startMs = performance.now();
    try {
      const run = await new EnsembleRun(this.about.model, plan, request, checked.inputs).run();
      const { queueMs, computeMs } = run.total;
      this.#statistics.recordExecution(1, rows, { inputMs: 0, inferMs: computeMs, outputMs: 0 });
      this.#statistics.recordSuccess(performance.now() - startMs, queueMs);
      let isLent = true;
      return {
        outputs: wanted.map((name) => outputOf(run.tensors, name)),
        ...run.path,
        batchRows: rows,
        batchId: run.batchId,
        release: () => {
          if (isLent) run.release();
          isLent = false;
        },
      };
    } catch (error) {
      this.#statistics.recordFailure(faultOf(error), performance.now() - startMs);
      throw error;
    }
  }

  hold(): () => void {
    return this.#holders.hold();
  }

  async close(): Promise<void> {
    await this.#holders.left();
    for (const release of this.#held) release();
  }

  #planFor(wanted: readonly string[]): EnsemblePlan {
    return planSteps(this.#steps, wanted);
  }
}

function outputOf(tensors: ReadonlyMap<string, Tensor>, name: string): Tensor {
  const tensor = tensors.get(name);
  if (tensor === undefined) throw new Error(`no step made the output "${name}"`);
  return tensor;
}
