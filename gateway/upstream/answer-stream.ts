import { Readable } from 'node:stream';
import { UpstreamFailure } from './upstream-failure.ts';

/** Bytes of an answer that lie here while its caller takes no more. */
const BUFFER_BYTES = 256 * 1024;

/** Where an answer comes from, which waits while its caller does. */
export interface AnswerSource {
  pause(): void;
  /** @param heldUpMs how long the caller had taken nothing, which the server had no part in */
  resume(heldUpMs: number): void;
  /** It is over: taken, or nobody takes the rest of it. */
  leave(error: Error | null): void;
}

/** An answer that is passed on as it comes, as fast as its caller takes it. */
export class AnswerStream extends Readable {
  readonly #source: AnswerSource;
  readonly #takenWithinMs: number;
  #heldUpMs = 0;
  /** Since when the caller takes no more, in `performance.now()` milliseconds; undefined while the server is awaited. */
  #sinceMs: number | undefined;
  #timer: NodeJS.Timeout | undefined;

  /** @param takenWithinMs how long it may wait for its caller, all in all */
  constructor(source: AnswerSource, takenWithinMs: number) {
    super({ highWaterMark: BUFFER_BYTES });
    this.#source = source;
    this.#takenWithinMs = takenWithinMs;
  }

  /** How long it has waited for its caller, in milliseconds. */
  get heldUpMs(): number {
    return this.#heldUpMs + (this.#sinceMs === undefined ? 0 : performance.now() - this.#sinceMs);
  }

  get isHeldUp(): boolean {
    return this.#sinceMs !== undefined;
  }

  give(chunk: Buffer): void {
    if (this.push(chunk)) return;
    this.#holdUp();
    this.#source.pause();
  }

  /** All of it is here; what lies here still waits for the caller alone. */
  end(): void {
    this.#holdUp();
    this.push(null);
  }

  override _read(): void {
    this.#source.resume(this.#goOn());
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#goOn();
    this.#source.leave(error);
    done(error);
  }

  #holdUp(): void {
    if (this.#sinceMs !== undefined || this.destroyed) return;
    this.#sinceMs = performance.now();
    this.#timer = setTimeout(() => {
      const failure = new UpstreamFailure('cancelled', 'the caller took too long to take the answer');
      this.destroy(failure);
    }, this.#takenWithinMs - this.#heldUpMs);
  }

  /** @returns how long the caller had taken nothing */
  #goOn(): number {
    clearTimeout(this.#timer);
    if (this.#sinceMs === undefined) return 0;
    const waitedMs = performance.now() - this.#sinceMs;
    this.#heldUpMs += waitedMs;
    this.#sinceMs = undefined;
    return waitedMs;
  }
}
