import { BackendError } from '../errors.ts';
import type { InferRequest } from '../inference.ts';

/**
 * One run that several equal requests wait for. It goes on while one of them does: whoever hangs up, or has no more time,
 * leaves alone, and the last one ends the run.
 */
export class Flight<Result> {
  readonly #run: Promise<Result>;
  readonly #stop = new AbortController();
  #waiting = 0;

  constructor(start: (signal: AbortSignal) => Promise<Result>) {
    this.#run = start(this.#stop.signal);
    // Each who waits is told by its own promise; there may be none left.
    this.#run.catch(() => undefined);
  }

  /** @throws BackendError `cancelled` or `expired_in_queue` for this one alone, and what the run threw */
  wait({ deadlineMs, signal }: Pick<InferRequest, 'deadlineMs' | 'signal'>): Promise<Result> {
    this.#waiting += 1;
    return new Promise<Result>((resolve, reject) => {
      let timer: NodeJS.Timeout | undefined;
      const leave = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', hangUp);
        this.#waiting -= 1;
        if (this.#waiting === 0) this.#stop.abort();
      };
      const hangUp = (): void => {
        leave();
        reject(new BackendError('cancelled', 'the caller hung up'));
      };
      if (signal?.aborted === true) {
        hangUp();
        return;
      }
      signal?.addEventListener('abort', hangUp, { once: true });
      const leftMs = deadlineMs - performance.now();
      if (leftMs <= LONGEST_TIMER_MS) {
        timer = setTimeout(
          () => {
            leave();
            reject(new BackendError('expired_in_queue', 'the deadline passed while an equal request ran'));
          },
          Math.max(0, leftMs),
        );
      }
      this.#run.then(
        (result) => {
          leave();
          resolve(result);
        },
        (error: unknown) => {
          leave();
          reject(error instanceof Error ? error : new Error(String(error)));
        },
      );
    });
  }
}

/** The longest that a timer of Node takes. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;
