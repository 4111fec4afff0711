import { Worker } from 'node:worker_threads';
import type { FromWorker, SessionOptions, ToWorker, WorkerOptions } from './messages.ts';

/** The main thread's end of what it says to a session and hears from it. */
export interface WorkerLink {
  post(message: ToWorker): void;
  /** Sets who is told; until then what comes is kept. To be called again by whoever takes the link over. */
  listen(listener: LinkListener): void;
}

export interface LinkListener {
  onMessage(message: FromWorker): void;
  /** The session's thread is gone, or has let go of the session. Nothing comes after it. */
  onGone(reason: string): void;
}

/** A link whose listener may be exchanged. */
export abstract class ListenedLink implements WorkerLink {
  #listener: LinkListener | undefined;
  readonly #early: ((listener: LinkListener) => void)[] = [];

  abstract post(message: ToWorker): void;

  listen(listener: LinkListener): void {
    this.#listener = listener;
    for (const tell of this.#early.splice(0)) tell(listener);
  }

  protected tell(message: FromWorker): void {
    if (this.#listener !== undefined) this.#listener.onMessage(message);
    else
      this.#early.push((listener) => {
        listener.onMessage(message);
      });
  }

  protected tellGone(reason: string): void {
    if (this.#listener !== undefined) this.#listener.onGone(reason);
    else
      this.#early.push((listener) => {
        listener.onGone(reason);
      });
  }
}

/** Starts a thread, whose only session ends with it: what loading has allocated is freed for certain. */
export function startOwnWorker(options: SessionOptions): WorkerLink {
  return new OwnWorker(startWorker({ kind: 'session', ...options }));
}

export function startWorker(workerData: WorkerOptions): Worker {
  return new Worker(new URL('./worker.ts', import.meta.url), { workerData });
}

class OwnWorker extends ListenedLink {
  readonly #worker: Worker;

  constructor(worker: Worker) {
    super();
    this.#worker = worker;
    let reason: string | undefined;
    worker.on('message', (message: FromWorker) => {
      this.tell(message);
    });
    worker.on('error', (error: unknown) => {
      reason = error instanceof Error ? error.message : String(error);
    });
    worker.on('exit', (code) => {
      this.tellGone(reason ?? `exit code ${code}`);
    });
  }

  post(message: ToWorker): void {
    this.#worker.postMessage(message);
  }
}
