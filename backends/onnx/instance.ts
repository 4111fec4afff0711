import { Worker } from 'node:worker_threads';
import type { Tensor, TensorSpec } from '../tensor/tensor.ts';
import type { FromWorker, RunMessage, ToWorker, WorkerOptions } from './messages.ts';

/** The worker is gone (out of heap, or it exited), and took its batch with it. */
export class InstanceDied extends Error {
  constructor(reason: string) {
    super(`the instance's worker died: ${reason}`);
    this.name = 'InstanceDied';
  }
}

/** The model threw while it ran. */
export class RunFailed extends Error {
  constructor(reason: string) {
    super(reason);
    this.name = 'RunFailed';
  }
}

export interface RunResult {
  /** Milliseconds inside ONNX Runtime. */
  readonly computeMs: number;
  /** The outputs that had no place in the slab, in the order they were asked for. */
  readonly sent: readonly Tensor[];
}

interface CurrentRun {
  resolve(result: RunResult): void;
  reject(error: Error): void;
}

/** One instance of a version: a worker thread with a session of its own, seen from the main thread. */
export class OnnxInstance {
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  /** Resolves with the reason when the worker is gone without having been closed. */
  readonly died: Promise<string>;

  readonly #worker: Worker;
  readonly #exited: Promise<void>;
  #current: CurrentRun | undefined;
  #gone: string | undefined;
  #closing = false;
  /** Settles with the run in progress. */
  #idle: PromiseWithResolvers<undefined> | undefined;

  /**
   * Starts a worker and loads the model in it.
   *
   * @throws Error with ONNX Runtime's reason when the model can't be loaded
   */
  static start(options: WorkerOptions): Promise<OnnxInstance> {
    const worker = new Worker(new URL('./worker.ts', import.meta.url), { workerData: options });
    return new Promise((resolve, reject) => {
      const onFirst = (message: FromWorker): void => {
        worker.off('exit', onExit);
        if (message.kind === 'ready') resolve(new OnnxInstance(worker, message.inputs, message.outputs));
        else
          reject(new Error(message.kind === 'refused' ? message.reason : `the worker said ${message.kind}`));
      };
      const onExit = (code: number): void => {
        reject(new Error(`the worker exited with ${code} while it loaded the model`));
      };
      worker.once('message', onFirst);
      worker.once('error', reject);
      worker.once('exit', onExit);
    });
  }

  private constructor(worker: Worker, inputs: readonly TensorSpec[], outputs: readonly TensorSpec[]) {
    this.#worker = worker;
    this.inputs = inputs;
    this.outputs = outputs;
    const exited = Promise.withResolvers<undefined>();
    const died = Promise.withResolvers<string>();
    this.#exited = exited.promise;
    this.died = died.promise;
    let reason: string | undefined;
    worker.on('message', (message: FromWorker) => {
      this.#settle(message);
    });
    worker.on('error', (error: unknown) => {
      reason = error instanceof Error ? error.message : String(error);
    });
    worker.on('exit', (code) => {
      this.#gone = reason ?? `exit code ${code}`;
      this.#takeCurrent()?.reject(new InstanceDied(this.#gone));
      if (!this.#closing) died.resolve(this.#gone);
      exited.resolve(undefined);
    });
  }

  /**
   * Runs one batch; never two at a time.
   *
   * @throws RunFailed, InstanceDied
   */
  run(message: RunMessage): Promise<RunResult> {
    return new Promise((resolve, reject) => {
      if (this.#gone !== undefined) {
        reject(new InstanceDied(this.#gone));
        return;
      }
      if (this.#current !== undefined) throw new Error('an instance runs one batch at a time');
      this.#current = { resolve, reject };
      this.#idle = Promise.withResolvers<undefined>();
      this.#post(message);
    });
  }

  /** Waits for the run in progress, releases the session and ends the thread: terminating a run aborts the process. */
  async close(): Promise<void> {
    this.#closing = true;
    await this.#idle?.promise;
    this.#post({ kind: 'close' });
    await this.#exited;
  }

  #post(message: ToWorker): void {
    this.#worker.postMessage(message);
  }

  #takeCurrent(): CurrentRun | undefined {
    const current = this.#current;
    this.#current = undefined;
    this.#idle?.resolve(undefined);
    return current;
  }

  #settle(message: FromWorker): void {
    const current = this.#takeCurrent();
    if (current === undefined) return;
    if (message.kind === 'done') current.resolve(message);
    else current.reject(new RunFailed(message.kind === 'failed' ? message.reason : `said ${message.kind}`));
  }
}
