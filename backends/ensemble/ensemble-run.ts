import { BackendError } from '../errors.ts';
import { InvalidImage } from '../image/invalid-image.ts';
import type { InferAnswer, InferRequest } from '../inference.ts';
import type { Tensor } from '../tensor/tensor.ts';
import type { EnsemblePlan, PlannedStep } from './ensemble-plan.ts';

/** What the steps of a request took, in milliseconds. */
export interface StepTimes {
  readonly queueMs: number;
  readonly computeMs: number;
}

/** What the steps made. */
export interface RunOutcome {
  /** By the ensemble's names. */
  readonly tensors: ReadonlyMap<string, Tensor>;
  /** Along the chain of steps that ended last: what the caller waited for. */
  readonly path: StepTimes;
  /** Of all steps. */
  readonly total: StepTimes;
  /** The batch of the step that ended last. */
  readonly batchId: number;
  /** To be called once, when the tensors have been used. */
  release(): void;
}

/** A step that has been answered. */
interface Done {
  readonly answer: InferAnswer;
  readonly path: StepTimes;
  /** Those who still read its tensors. */
  readers: number;
}

/**
 * One request's way through the steps. A step starts as soon as all its tensors are there, beside the others that can; each
 * goes through its own model's batcher. The first that fails ends the others: what waits then leaves its queue. A step's
 * memory is given back when the steps that read it, and the answer if it is part of it, are done with it.
 */
export class EnsembleRun {
  readonly #model: string;
  readonly #plan: EnsemblePlan;
  readonly #request: InferRequest;
  readonly #startMs = performance.now();
  readonly #tensors: Map<string, Tensor>;
  readonly #done = new Map<number, Done>();
  readonly #waitsFor: Map<number, number>;
  readonly #ended = Promise.withResolvers<undefined>();
  /** Aborted when the caller hangs up, and when a step failed. */
  readonly #stop = new AbortController();
  #open: number;
  #totalQueueMs = 0;
  #totalComputeMs = 0;
  #last: Done | undefined;

  /** @param inputs the request's, checked */
  constructor(model: string, plan: EnsemblePlan, request: InferRequest, inputs: readonly Tensor[]) {
    this.#model = model;
    this.#plan = plan;
    this.#request = request;
    this.#tensors = new Map(inputs.map((tensor) => [tensor.name, tensor]));
    this.#waitsFor = new Map(plan.steps.map(({ number, after }) => [number, after.length]));
    this.#open = plan.steps.length;
  }

  /** @throws BackendError, InvalidImage: what the first step that failed said, with its place */
  async run(): Promise<RunOutcome> {
    const { signal } = this.#request;
    const hangUp = (): void => {
      this.#fail(new BackendError('cancelled', 'the caller hung up'));
    };
    signal?.addEventListener('abort', hangUp, { once: true });
    try {
      if (signal?.aborted === true) hangUp();
      for (const step of this.#plan.steps) if (step.after.length === 0) this.#start(step);
      await this.#ended.promise;
    } catch (error) {
      this.#stop.abort();
      for (const done of this.#done.values()) if (done.readers > 0) done.answer.release();
      this.#done.clear();
      throw error;
    } finally {
      signal?.removeEventListener('abort', hangUp);
    }
    return {
      tensors: this.#tensors,
      path: this.#last?.path ?? NO_TIME,
      total: { queueMs: this.#totalQueueMs, computeMs: this.#totalComputeMs },
      batchId: this.#last?.answer.batchId ?? 0,
      release: () => {
        for (const maker of this.#plan.makers) this.#leave(maker);
      },
    };
  }

  #fail(error: Error): void {
    this.#ended.reject(error);
  }

  #start(step: PlannedStep): void {
    void this.#runStep(step).catch((error: unknown) => {
      this.#fail(error instanceof Error ? error : new Error(String(error)));
    });
  }

  async #runStep(step: PlannedStep): Promise<void> {
    const { deadlineMs, timeoutMs = 0 } = this.#request;
    const priority = this.#priorityFor(step);
    const nowMs = performance.now();
    if (nowMs > deadlineMs)
      throw new BackendError('expired_in_queue', `${this.#nameOf(step)}: the time was over before it began`);
    // What the caller lets it wait is one time for all steps, of which those before have used theirs.
    const leftMs = timeoutMs - (nowMs - this.#startMs);
    if (timeoutMs > 0 && leftMs <= 0) throw new BackendError('queue_timeout', 'Request timeout expired');
    const inputs = [...step.step.inputs].map(([name, tensor]) => this.#tensorFor(step, name, tensor));
    const answer = await step.member
      .infer({
        inputs,
        outputs: step.wanted,
        deadlineMs,
        ...(priority !== undefined && { priority }),
        ...(timeoutMs > 0 && { timeoutMs: leftMs }),
        signal: this.#stop.signal,
      })
      .catch((error: unknown) => {
        throw this.#placed(step, error);
      });
    if (this.#stop.signal.aborted) {
      answer.release();
      return;
    }
    this.#settle(step, answer);
  }

  /** A level that the step's model doesn't have stands for that model's default: the caller knows the ensemble, and not its steps. */
  #priorityFor({ member }: PlannedStep): number | undefined {
    const { priority = 0 } = this.#request;
    const levels = member.about.config.batching.priorityLevels;
    return priority > levels && levels > 0 ? undefined : this.#request.priority;
  }

  #settle(step: PlannedStep, answer: InferAnswer): void {
    const before = step.after.map((number) => this.#done.get(number)?.path ?? NO_TIME);
    const longest = before.reduce(
      (most, path) => (path.queueMs + path.computeMs > most.queueMs + most.computeMs ? path : most),
      NO_TIME,
    );
    const { queueMs, computeMs } = answer;
    this.#totalQueueMs += queueMs;
    this.#totalComputeMs += computeMs;
    const readers = step.before.length + (this.#plan.makers.has(step.number) ? 1 : 0);
    const path = { queueMs: longest.queueMs + queueMs, computeMs: longest.computeMs + computeMs };
    const done = { answer, path, readers };
    this.#done.set(step.number, done);
    this.#last = done;
    for (const tensor of answer.outputs) {
      const name = step.step.outputs.get(tensor.name);
      if (name !== undefined) this.#tensors.set(name, { ...tensor, name });
    }
    for (const maker of step.after) this.#leave(maker);
    this.#open -= 1;
    if (this.#open === 0) this.#ended.resolve(undefined);
    for (const next of this.#plan.steps) {
      if (!step.before.includes(next.number)) continue;
      const left = (this.#waitsFor.get(next.number) ?? 0) - 1;
      this.#waitsFor.set(next.number, left);
      if (left === 0) this.#start(next);
    }
  }

  /** Notes that one who read a step's tensors is done with them. */
  #leave(number: number): void {
    const done = this.#done.get(number);
    if (done === undefined) return;
    done.readers -= 1;
    if (done.readers === 0) done.answer.release();
  }

  #tensorFor(step: PlannedStep, name: string, tensorName: string): Tensor {
    const tensor = this.#tensors.get(tensorName);
    if (tensor === undefined) throw new Error(`${this.#nameOf(step)} has no tensor "${tensorName}"`);
    return { ...tensor, name };
  }

  #nameOf({ number, member }: PlannedStep): string {
    return `step ${number} ('${member.about.model}') of ensemble '${this.#model}'`;
  }

  /** A mistake in what a later step takes is told with its place; its kind stays. */
  #placed(step: PlannedStep, error: unknown): unknown {
    if (error instanceof InvalidImage)
      return new InvalidImage(error.fault, `${this.#nameOf(step)}: ${error.message}`, { cause: error });
    if (!(error instanceof BackendError)) return error;
    const { fault, retryAfterMs, run } = error;
    if (fault === 'cancelled') return error;
    return new BackendError(fault, `${this.#nameOf(step)}: ${error.message}`, {
      cause: error,
      retryAfterMs,
      run,
    });
  }
}

const NO_TIME: StepTimes = Object.freeze({ queueMs: 0, computeMs: 0 });
