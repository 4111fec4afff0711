import { availableParallelism } from 'node:os';
import { Worker, isMarkedAsUntransferable } from 'node:worker_threads';
// The library has to be in memory before the first thread loads it, and stay there when the last one ends: on Linux with glibc
// a thread that is the first to load it takes it along when it goes.
import 'sharp';
import { BackendError } from '../errors.ts';
import type { ImageSpec } from './image-spec.ts';
import { InvalidImage } from './invalid-image.ts';
import type { FromImageWorker, ToImageWorker } from './messages.ts';
import type { ImageTensor } from './normalise.ts';

/** Decoding takes one of Node's four threads for files and images, and one of them is left for the files. */
const MAX_WORKERS = 3;

/** Uploads that may wait for a worker; the memory they hold is the callers' own. */
const MAX_WAITING = 4096;

/** One request's uploads, and how they become tensors. */
export interface ImageRequest {
  /** The memory of a file that has its block to itself is handed over: nobody else may read it afterwards. */
  readonly files: readonly Uint8Array[];
  readonly spec: ImageSpec;
  /** Pixels (width x height) of an image that are decoded at the most. */
  readonly maxPixels: number;
  /** When the tensors are of no more use, in `performance.now()` milliseconds. */
  readonly deadlineMs: number;
  /** Aborted when the caller hangs up: what has not been started then isn't. */
  readonly signal: AbortSignal | undefined;
}

interface Waiting {
  readonly file: Uint8Array;
  readonly request: ImageRequest;
  readonly resolve: (tensor: ImageTensor) => void;
  readonly reject: (error: Error) => void;
}

/**
 * Turns uploads into tensors on worker threads, as many as there are cores and at most {@link MAX_WORKERS}; each is started
 * when it is first needed. As many images are decoded at once as there are workers, which bounds the memory that they take.
 */
export class ImagePool {
  readonly #size: number;
  readonly #idle: Worker[] = [];
  readonly #busy = new Map<Worker, Waiting>();
  readonly #waiting: Waiting[] = [];
  readonly #exits = new Set<Promise<unknown>>();
  #isClosed = false;

  /** @param size worker threads at the most, >= 1 */
  constructor(size = Math.min(MAX_WORKERS, availableParallelism())) {
    this.#size = size;
  }

  /** Worker threads that live. */
  get workers(): number {
    return this.#idle.length + this.#busy.size;
  }

  /** Whether an image would be read at once. */
  get isIdle(): boolean {
    return this.#waiting.length === 0 && this.#busy.size < this.#size;
  }

  /**
   * The tensors of a request's files, in their order. A request with many files has no more of them in the queue than there
   * are workers, so that others get their turn between them; the first that is refused ends it.
   *
   * @throws InvalidImage, BackendError `cancelled`, `expired_in_queue`, `queue_full` or `unavailable`
   */
  async toTensors(request: ImageRequest): Promise<readonly ImageTensor[]> {
    const { files } = request;
    const tensors: ImageTensor[] = [];
    let next = 0;
    const takeTurns = async (): Promise<void> => {
      for (let index = next++; index < files.length; index = next++) {
        const file = files[index];
        if (file === undefined) return;
        try {
          tensors[index] = await this.#submit(file, request);
        } catch (error) {
          next = files.length;
          throw error;
        }
      }
    };
    await Promise.all(Array.from({ length: Math.min(this.#size, files.length) }, takeTurns));
    return tensors;
  }

  /** Starts a worker before it is needed: the first image would otherwise wait half a second for its code. */
  warmUp(): void {
    if (this.workers === 0) this.#idle.push(this.#start());
  }

  /** Ends the workers once what they read has been read. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const { reject } of this.#waiting.splice(0)) reject(closing());
    for (const worker of this.#idle.splice(0)) end(worker);
    await Promise.all(this.#exits);
  }

  #submit(file: Uint8Array, request: ImageRequest): Promise<ImageTensor> {
    return new Promise((resolve, reject) => {
      if (this.#isClosed) reject(closing());
      else if (this.#waiting.length >= MAX_WAITING) {
        reject(new BackendError('queue_full', `${MAX_WAITING} images wait to be read, as many as may`));
      } else {
        this.#waiting.push({ file, request, resolve, reject });
        this.#dispatch();
      }
    });
  }

  /** Gives the waiting files to workers while there are both. */
  #dispatch(): void {
    for (;;) {
      const hasWorker = this.#idle.length > 0 || this.workers < this.#size;
      const waiting = hasWorker ? this.#waiting.shift() : undefined;
      if (waiting === undefined) return;
      const { request, file } = waiting;
      if (request.signal?.aborted === true)
        waiting.reject(new BackendError('cancelled', 'the caller hung up'));
      else if (performance.now() > request.deadlineMs) {
        waiting.reject(new BackendError('expired_in_queue', 'the time was over before the image was read'));
      } else {
        const worker = this.#idle.pop() ?? this.#start();
        this.#busy.set(worker, waiting);
        const { spec, maxPixels } = request;
        const own = ownBlock(file);
        const message: ToImageWorker = { kind: 'read', file: own, spec, maxPixels };
        worker.postMessage(message, [own.buffer]);
      }
    }
  }

  #start(): Worker {
    const worker = new Worker(new URL('./image-worker.ts', import.meta.url));
    worker.on('message', (answer: FromImageWorker) => {
      const waiting = this.#takeBusy(worker);
      if (this.#isClosed) end(worker);
      else this.#idle.push(worker);
      settle(waiting, answer);
      this.#dispatch();
    });
    let reason: string | undefined;
    worker.on('error', (error: unknown) => {
      reason = error instanceof Error ? error.message : String(error);
    });
    const exited = new Promise<undefined>((resolve) => {
      worker.on('exit', (code) => {
        const at = this.#idle.indexOf(worker);
        if (at >= 0) this.#idle.splice(at, 1);
        const why = `the thread that read the image died: ${reason ?? `exit code ${code}`}`;
        this.#takeBusy(worker)?.reject(new BackendError('unavailable', why));
        this.#exits.delete(exited);
        resolve(undefined);
        this.#dispatch();
      });
    });
    this.#exits.add(exited);
    return worker;
  }

  #takeBusy(worker: Worker): Waiting | undefined {
    const waiting = this.#busy.get(worker);
    this.#busy.delete(worker);
    return waiting;
  }
}

function settle(waiting: Waiting | undefined, answer: FromImageWorker): void {
  switch (answer.kind) {
    case 'tensor':
      waiting?.resolve(answer.tensor);
      break;
    case 'refused':
      waiting?.reject(new InvalidImage(answer.fault, answer.message));
      break;
    case 'failed':
      waiting?.reject(new BackendError('unavailable', `the image could not be read: ${answer.reason}`));
      break;
  }
}

function end(worker: Worker): void {
  const message: ToImageWorker = { kind: 'close' };
  worker.postMessage(message);
}

/** The file's own block, or a copy of the part of a larger one: sending that would send all of it. */
function ownBlock(file: Uint8Array): Uint8Array<ArrayBuffer> {
  const { buffer } = file;
  const owns = buffer instanceof ArrayBuffer && buffer.byteLength === file.byteLength;
  return owns && !isMarkedAsUntransferable(buffer) ? new Uint8Array(buffer) : Uint8Array.from(file);
}

function closing(): BackendError {
  return new BackendError('unavailable', 'the gateway is stopping');
}
