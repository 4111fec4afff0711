import { availableParallelism } from 'node:os';
// The library has to be in memory before the first thread loads it, and stay there when the last one ends: on Linux with glibc
// a thread that is the first to load it takes it along when it goes.
import 'sharp';
import { BackendError } from '../errors.ts';
import { ThreadDied, ThreadPool } from '../thread-pool.ts';
import type { ImageSpec } from './image-spec.ts';
import { InvalidImage } from './invalid-image.ts';
import type { FromImageWorker, ImageJob } from './messages.ts';
import type { ImageTensor } from './normalise.ts';

/** Decoding takes one of Node's four threads for files and images, and one of them is left for the files. */
const MAX_WORKERS = 3;

/** Uploads that may wait for a worker; the memory they hold is the callers' own. */
const MAX_WAITING = 4096;

/** One request's uploads, and how they become tensors. */
export interface ImageRequest {
  /** They stay the caller's, who may ask another version about them. */
  readonly files: readonly Uint8Array[];
  readonly spec: ImageSpec;
  /** Pixels (width x height) of an image that are decoded at the most. */
  readonly maxPixels: number;
  /** When the tensors are of no more use, in `performance.now()` milliseconds. */
  readonly deadlineMs: number;
  /** Aborted when the caller hangs up: what has not been started then isn't. */
  readonly signal: AbortSignal | undefined;
}

/**
 * Turns uploads into tensors on worker threads, as many as there are cores and at most {@link MAX_WORKERS}.
 * As many images are decoded at once as there are workers, which bounds the memory that they take.
 */
export class ImagePool {
  readonly #size: number;
  readonly #threads: ThreadPool<ImageJob, FromImageWorker>;

  /** @param size worker threads at the most, >= 1 */
  constructor(size = Math.min(MAX_WORKERS, availableParallelism())) {
    this.#size = size;
    const script = new URL('./image-worker.ts', import.meta.url);
    this.#threads = new ThreadPool({ script, size, mostWaiting: MAX_WAITING });
  }

  /** Worker threads that live. */
  get workers(): number {
    return this.#threads.threads;
  }

  /** Whether an image would be read at once. */
  get isIdle(): boolean {
    return this.#threads.isIdle;
  }

  /**
   * The tensors of a request's files, in their order. A request with many files has no more of them in the queue than there
   * are workers, so that others get their turn between them; the first that is refused ends it.
   *
   * @throws InvalidImage, BackendError `cancelled`, `expired_in_queue`, `threads_busy`, `unavailable` or `run_failed`
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
          tensors[index] = await this.#toTensor(file, request);
        } catch (error) {
          next = files.length;
          throw files.length > 1 ? placed(error, index, files.length) : error;
        }
      }
    };
    await Promise.all(Array.from({ length: Math.min(this.#size, files.length) }, takeTurns));
    return tensors;
  }

  /** Starts a worker before it is needed: the first image would otherwise wait half a second for its code. */
  warmUp(): void {
    this.#threads.warmUp();
  }

  /** Ends the workers once what they read has been read. */
  close(): Promise<void> {
    return this.#threads.close();
  }

  async #toTensor(file: Uint8Array, request: ImageRequest): Promise<ImageTensor> {
    const { spec, maxPixels, deadlineMs, signal } = request;
    const toJob = (): readonly [ImageJob, readonly ArrayBuffer[]] => {
      const copy = Uint8Array.from(file);
      return [{ file: copy, spec, maxPixels }, [copy.buffer]];
    };
    let answer: FromImageWorker;
    try {
      answer = await this.#threads.run({ toJob, deadlineMs, signal });
    } catch (error) {
      if (!(error instanceof ThreadDied)) throw error;
      // A thread reads nothing but this image: it would take the next one along too.
      const message = `the thread that read the image died: ${error.message}`;
      throw new InvalidImage('undecodable', message, { cause: error });
    }
    switch (answer.kind) {
      case 'tensor':
        return answer.tensor;
      case 'refused':
        throw new InvalidImage(answer.fault, answer.message);
      case 'failed':
        throw new BackendError('run_failed', `the image could not be read: ${answer.reason}`);
    }
  }
}

/** Of several images the one that is wrong is told by its place, from 0. */
function placed(error: unknown, index: number, count: number): unknown {
  if (!(error instanceof InvalidImage)) return error;
  return new InvalidImage(error.fault, `image ${index} of ${count}: ${error.message}`, { cause: error });
}
