import { Worker } from 'node:worker_threads';
import { AbortListeners } from './batching/abort-listeners.ts';
import type { AbortListener } from './batching/abort-listeners.ts';
import { DeadlineTimer } from './batching/deadline-timer.ts';
import { BackendError } from './errors.ts';

export interface ThreadPoolOptions {
  /** The module that each thread runs: it answers each job by one message, and closes its port at {@link CLOSE}. */
  readonly script: URL;
  /** Threads at the most, >= 1. */
  readonly size: number;
  /** Jobs that may wait for a thread; the memory they hold is the callers' own. */
  readonly mostWaiting: number;
}

/** Tells a thread that no job will come any more. */
export const CLOSE = 'close';

export interface ThreadTask<Job> {
  /** The job, with the memory that is the thread's from then on; called when a thread is free for it. */
  readonly toJob: () => readonly [job: Job, handedOver: readonly ArrayBuffer[]];
  /** When the answer is of no more use, in `performance.now()` milliseconds. */
  readonly deadlineMs: number;
  /** Aborted when the caller hangs up: what has not been started then isn't. */
  readonly signal: AbortSignal | undefined;
}

/** The thread ended while it had the job, as when the job took more memory than a thread has. */
export class ThreadDied extends Error {
  constructor(reason: string) {
    super(reason);
    this.name = 'ThreadDied';
  }
}

/** Threads that each do one job at a time; each is started when it is first needed, and replaced when it dies. */
export class ThreadPool<Job, Answer> {
  readonly #options: ThreadPoolOptions;
  readonly #idle: Worker[] = [];
  readonly #busy = new Map<Worker, Waiting<Job, Answer>>();
  /** In the order in which they came. */
  readonly #waiting = new Set<Waiting<Job, Answer>>();
  readonly #exits = new Set<Promise<unknown>>();
  #isClosed = false;

  constructor(options: ThreadPoolOptions) {
    this.#options = options;
  }

  /** Threads that live. */
  get threads(): number {
    return this.#idle.length + this.#busy.size;
  }

  /** Whether a job would be started at once. */
  get isIdle(): boolean {
    return this.#waiting.size === 0 && this.#busy.size < this.#options.size;
  }

  /** Starts a thread before it is needed: the first job would otherwise wait for its code. */
  warmUp(): void {
    if (this.threads === 0) this.#idle.push(this.#start());
  }

  /** @throws BackendError `cancelled`, `expired_in_queue`, `threads_busy` or `unavailable`; ThreadDied; what `toJob` throws */
  run(task: ThreadTask<Job>): Promise<Answer> {
    const { mostWaiting } = this.#options;
    return new Promise((resolve, reject) => {
      if (this.#isClosed) reject(closing());
      else if (this.#waiting.size >= mostWaiting)
        reject(new BackendError('threads_busy', `${mostWaiting} wait for a thread, as many as may`));
      else {
        const waiting = new Waiting(task, resolve, reject, () => this.#waiting.delete(waiting));
        this.#waiting.add(waiting);
        this.#dispatch();
        if (this.#waiting.has(waiting)) waiting.watch();
      }
    });
  }

  /** Ends the threads once they have done what they do. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const waiting of this.#waiting) waiting.giveUp(closing());
    for (const thread of this.#idle.splice(0)) thread.postMessage(CLOSE);
    await Promise.all(this.#exits);
  }

  /** Gives what waits to threads while there are both. */
  #dispatch(): void {
    for (const waiting of this.#waiting) {
      if (this.#idle.length === 0 && this.threads >= this.#options.size) return;
      if (!waiting.start()) continue;
      const thread = this.#idle.pop() ?? this.#start();
      try {
        const [job, handedOver] = waiting.task.toJob();
        thread.postMessage(job, handedOver);
        this.#busy.set(thread, waiting);
      } catch (error) {
        this.#idle.push(thread);
        waiting.reject(error);
      }
    }
  }

  #start(): Worker {
    const thread = new Worker(this.#options.script);
    thread.on('message', (answer: Answer) => {
      const done = this.#takeBusy(thread);
      if (this.#isClosed) thread.postMessage(CLOSE);
      else this.#idle.push(thread);
      done?.resolve(answer);
      this.#dispatch();
    });
    let reason: string | undefined;
    thread.on('error', (error: unknown) => {
      reason = error instanceof Error ? error.message : String(error);
    });
    const exited = new Promise<undefined>((resolve) => {
      thread.on('exit', (code) => {
        const at = this.#idle.indexOf(thread);
        if (at >= 0) this.#idle.splice(at, 1);
        this.#takeBusy(thread)?.reject(new ThreadDied(reason ?? `exit code ${code}`));
        this.#exits.delete(exited);
        resolve(undefined);
        this.#dispatch();
      });
    });
    this.#exits.add(exited);
    return thread;
  }

  #takeBusy(thread: Worker): Waiting<Job, Answer> | undefined {
    const waiting = this.#busy.get(thread);
    this.#busy.delete(thread);
    return waiting;
  }
}

/** A task that no thread has yet. */
class Waiting<Job, Answer> implements AbortListener {
  readonly task: ThreadTask<Job>;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: unknown) => void;
  readonly #leave: () => void;
  #hangUps: AbortListeners | undefined;
  readonly #timer = new DeadlineTimer(() => {
    this.giveUp(late());
  });

  constructor(
    task: ThreadTask<Job>,
    resolve: (answer: Answer) => void,
    reject: (error: unknown) => void,
    leave: () => void,
  ) {
    this.task = task;
    this.resolve = resolve;
    this.reject = reject;
    this.#leave = leave;
  }

  /** Gives up when the caller hangs up or its time is over. */
  watch(): void {
    const { signal, deadlineMs } = this.task;
    this.#hangUps = signal && AbortListeners.add(signal, this);
    this.#timer.watch(deadlineMs);
  }

  onAbort(): void {
    this.giveUp(hungUp());
  }

  /** Leaves the queue for a thread; false where nobody waits for the answer any more. */
  start(): boolean {
    const { signal, deadlineMs } = this.task;
    if (signal?.aborted === true) this.giveUp(hungUp());
    else if (performance.now() > deadlineMs) this.giveUp(late());
    else {
      this.#end();
      return true;
    }
    return false;
  }

  giveUp(error: BackendError): void {
    this.#end();
    this.reject(error);
  }

  #end(): void {
    this.#leave();
    this.#timer.stop();
    this.#hangUps?.delete(this);
  }
}

function hungUp(): BackendError {
  return new BackendError('cancelled', 'the caller hung up');
}

function late(): BackendError {
  return new BackendError('expired_in_queue', 'the time was over before a thread was free for it');
}

function closing(): BackendError {
  return new BackendError('unavailable', 'the gateway is stopping');
}
