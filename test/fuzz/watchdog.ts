import { Worker } from 'node:worker_threads';

const SILENT_MS = 60_000;

/** Looks from a thread of its own whether this one goes on: an input that holds it forever would otherwise never be named. */
export class Watchdog implements AsyncDisposable {
  readonly #worker: Worker;
  readonly #beats = new Int32Array(new SharedArrayBuffer(8));
  #entry = '';

  constructor() {
    this.#worker = new Worker(new URL('./watchdog-worker.ts', import.meta.url), {
      workerData: { beats: this.#beats, silentMs: SILENT_MS },
    });
    this.#worker.unref();
  }

  /** This input is next. */
  beat(entry: string, index: number): void {
    if (entry !== this.#entry) this.#worker.postMessage(entry);
    this.#entry = entry;
    Atomics.store(this.#beats, 1, index);
    Atomics.add(this.#beats, 0, 1);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker.terminate();
  }
}
