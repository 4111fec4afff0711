import { Worker } from 'node:worker_threads';

const SILENT_MS = 60_000;

/** In the place of the number of inputs. */
export const RESTING = -1;

/** Looks from a thread of its own whether this one goes on: an input that holds it forever would otherwise never be named. */
export class Watchdog implements AsyncDisposable {
  readonly #worker: Worker;
  readonly #beats = new Int32Array(new SharedArrayBuffer(8));
  #entry = '';
  #count = 0;

  constructor() {
    this.#worker = new Worker(new URL('./watchdog-worker.ts', import.meta.url), {
      workerData: { beats: this.#beats, silentMs: SILENT_MS },
    });
    this.#worker.unref();
  }

  /** Nothing is under way until the next input. */
  rest(): void {
    Atomics.store(this.#beats, 0, RESTING);
  }

  /** This input is next. */
  beat(entry: string, index: number): void {
    if (entry !== this.#entry) this.#worker.postMessage(entry);
    this.#entry = entry;
    Atomics.store(this.#beats, 1, index);
    this.#count += 1;
    Atomics.store(this.#beats, 0, this.#count);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker.terminate();
  }
}
