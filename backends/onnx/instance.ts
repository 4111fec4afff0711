import type { Tensor, TensorSpec } from '../tensor/tensor.ts';
import { gpuWorkerOf } from './gpu-worker.ts';
import type { FromWorker, KeptBack, RunMessage, SessionOptions } from './messages.ts';
import { sharesThread } from './providers/execution-provider.ts';
import type { RunJournal } from './run-journal.ts';
import { startOwnWorker } from './worker-link.ts';
import type { WorkerLink } from './worker-link.ts';

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

/** The run goes on past its limit. The worker can't be ended before it ends, nor can its memory be used again. */
export class RunHung extends Error {
  /** Resolves when the run has ended after all: with true when the instance can be given work again, false when it died. */
  readonly ended: Promise<boolean>;

  constructor(limitMs: number, ended: Promise<boolean>) {
    super(`the model has not answered for ${limitMs / 1000} s`);
    this.name = 'RunHung';
    this.ended = ended;
  }
}

/** The batch has members that are not to be run, or not with others, and none of it was run. */
export class RunKeptBack extends Error {
  readonly members: KeptBack;

  constructor(members: KeptBack) {
    super('the batch has members that were running when the process crashed');
    this.name = 'RunKeptBack';
    this.members = members;
  }
}

/** How an instance is started. */
export interface InstanceOptions extends Pick<SessionOptions, 'modelFile' | 'threads' | 'provider'> {
  /** What runs is written there, so that it is known when it crashes the process; left out: nowhere. */
  readonly journal?: RunJournal;
}

export interface RunResult {
  /** Milliseconds inside ONNX Runtime. */
  readonly computeMs: number;
  /** The outputs that had no place in the slab, in the order they were asked for. */
  readonly sent: readonly Tensor[];
}

type RunState =
  | { readonly kind: 'idle' }
  | {
      readonly kind: 'running';
      readonly resolve: (result: RunResult) => void;
      readonly reject: (error: Error) => void;
    }
  /** Its caller has been told; what the worker says next only ends it. */
  | { readonly kind: 'hung'; readonly end: (isAlive: boolean) => void }
  | { readonly kind: 'gone'; readonly reason: string };

const IDLE: RunState = { kind: 'idle' };

/** One instance of a version: a worker thread with a session of its own, seen from the main thread. */
export class OnnxInstance {
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  /** Resolves with the reason when the worker is gone without having been closed. */
  readonly died: Promise<string>;

  readonly #link: WorkerLink;
  readonly #exited: Promise<void>;
  #state: RunState = IDLE;
  #closing = false;
  /** Settles with the run in progress. */
  #idle: PromiseWithResolvers<undefined> | undefined;
  /** Set anew by each run rather than made anew, as long as the limit is the same. */
  #limit: { readonly ms: number; readonly timer: NodeJS.Timeout } | undefined;

  /**
   * Loads the model in a worker: one of its own, or the one that holds all sessions of its device.
   *
   * @throws Error with ONNX Runtime's reason when the model can't be loaded
   */
  static async start({ journal, ...asked }: InstanceOptions): Promise<OnnxInstance> {
    const slot = journal?.open();
    const options: SessionOptions = { ...asked, ...(slot !== undefined && { journal: slot }) };
    const { provider } = options;
    const link =
      provider.name === 'cpu' || !sharesThread(provider)
        ? startOwnWorker(options)
        : await gpuWorkerOf(provider).open(options);
    const freeSlot = (): void => {
      if (slot !== undefined) journal?.close(slot);
    };
    return new Promise((resolve, reject) => {
      link.listen({
        onMessage: (message) => {
          if (message.kind === 'ready') {
            resolve(new OnnxInstance(link, message.inputs, message.outputs, freeSlot));
            return;
          }
          reject(new Error(message.kind === 'refused' ? message.reason : `the worker said ${message.kind}`));
        },
        onGone: (reason) => {
          freeSlot();
          reject(new Error(`the worker ended while it loaded the model: ${reason}`));
        },
      });
    });
  }

  private constructor(
    link: WorkerLink,
    inputs: readonly TensorSpec[],
    outputs: readonly TensorSpec[],
    onGone: () => void,
  ) {
    this.#link = link;
    this.inputs = inputs;
    this.outputs = outputs;
    const exited = Promise.withResolvers<undefined>();
    const died = Promise.withResolvers<string>();
    this.#exited = exited.promise;
    this.died = died.promise;
    link.listen({
      onMessage: (message) => {
        this.#settle(message);
      },
      onGone: (reason) => {
        onGone();
        const state = this.#leave({ kind: 'gone', reason });
        if (state.kind === 'running') state.reject(new InstanceDied(reason));
        if (state.kind === 'hung') state.end(false);
        if (!this.#closing) died.resolve(reason);
        exited.resolve(undefined);
      },
    });
  }

  /**
   * Runs one batch; never two at a time.
   *
   * @param limitMs after that the run counts as hung; left out: it may take as long as it takes
   * @throws RunFailed, RunHung, RunKeptBack, InstanceDied
   */
  run(message: RunMessage, limitMs?: number): Promise<RunResult> {
    return new Promise((resolve, reject) => {
      if (this.#state.kind === 'gone') {
        reject(new InstanceDied(this.#state.reason));
        return;
      }
      if (this.#state.kind !== 'idle') throw new Error('an instance runs one batch at a time');
      this.#state = { kind: 'running', resolve, reject };
      this.#idle = Promise.withResolvers<undefined>();
      this.#watch(limitMs);
      this.#link.post(message);
    });
  }

  /** Waits for the run in progress, releases the session and ends the thread: terminating a run aborts the process. */
  async close(): Promise<void> {
    this.#closing = true;
    await this.#idle?.promise;
    clearTimeout(this.#limit?.timer);
    this.#link.post({ kind: 'close' });
    await this.#exited;
  }

  /** As {@link close}, but a run that hangs is not waited for: the thread ends when that does, if ever. */
  async leave(): Promise<void> {
    const closed = this.close();
    if (this.#state.kind !== 'hung') await closed;
  }

  #watch(limitMs: number | undefined): void {
    if (limitMs !== undefined && limitMs === this.#limit?.ms) {
      this.#limit.timer.refresh();
      return;
    }
    clearTimeout(this.#limit?.timer);
    this.#limit = limitMs === undefined ? undefined : { ms: limitMs, timer: this.#timer(limitMs) };
  }

  #timer(limitMs: number): NodeJS.Timeout {
    return setTimeout(() => {
      this.#giveUp(limitMs);
    }, limitMs).unref();
  }

  #giveUp(limitMs: number): void {
    const run = this.#state;
    if (run.kind !== 'running') return;
    // After the thread was held up past the limit, timers are looked at before the answer that has long been waiting.
    setImmediate(() => {
      if (this.#state !== run) return;
      const ended = Promise.withResolvers<boolean>();
      this.#state = { kind: 'hung', end: ended.resolve };
      run.reject(new RunHung(limitMs, ended.promise));
    });
  }

  /** Ends the run in progress; returns the state that it was in. */
  #leave(next: RunState): RunState {
    const state = this.#state;
    this.#state = next;
    this.#idle?.resolve(undefined);
    return state;
  }

  #settle(message: FromWorker): void {
    if (this.#state.kind === 'gone') return;
    const state = this.#leave(IDLE);
    if (state.kind === 'hung') state.end(true);
    if (state.kind !== 'running') return;
    switch (message.kind) {
      case 'done':
        state.resolve(message);
        break;
      case 'kept_back':
        state.reject(new RunKeptBack(message));
        break;
      case 'failed':
        state.reject(new RunFailed(message.reason));
        break;
      case 'ready':
      case 'refused':
        state.reject(new RunFailed(`said ${message.kind}`));
    }
  }
}
