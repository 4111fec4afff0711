import { Readable } from 'node:stream';
import { GatewayError } from '../errors.ts';

/** Where a caller's body comes from. */
export interface BodySource {
  /** Its bytes, not yet flowing. */
  readonly stream: Readable;
  /** What an error of the stream says of the caller. */
  failure(error: Error | undefined): GatewayError;
  /** Lets the rest of it pass unread, so that the caller can be answered. */
  discard(): void;
}

/** Who one copy of the body tells how far it is. */
export interface BodyListener {
  /** All of it was taken. */
  requestSent(): void;
}

/**
 * A caller's body that is passed on as it comes. It can be given to one server only once something of it was read; until then,
 * as after a refused connection, it can be given to another.
 */
export class StreamedBody {
  readonly #source: BodySource;
  readonly #limitBytes: number;
  #isTouched = false;
  #isAwaited = false;
  /** Nobody wants the rest of it. */
  #isLeft = false;
  #endedMs: number | undefined;
  #refusal: GatewayError | undefined;

  /** @param limitBytes a longer body breaks off */
  constructor(source: BodySource, limitBytes: number) {
    this.#source = source;
    this.#limitBytes = limitBytes;
    const { stream } = source;
    // It may break off before anybody reads it.
    const onBroken = (error?: Error): void => {
      if (!stream.readableEnded && !this.#isLeft) this.#refusal ??= source.failure(error);
    };
    stream.once('error', onBroken).once('close', onBroken);
  }

  /** Its bytes, for whoever wants it whole after nobody touched it. */
  get stream(): Readable {
    return this.#source.stream;
  }

  /** Whether something of it was read, so that it can't be sent from its start again. */
  get isTouched(): boolean {
    return this.#isTouched;
  }

  /** Whether the server took all that came, and it is for the caller to send more. */
  get isAwaited(): boolean {
    return this.#isAwaited;
  }

  /** When all of it had been taken, in `performance.now()` milliseconds; undefined before. */
  get endedMs(): number | undefined {
    return this.#endedMs;
  }

  /** Why it can't be had, which is its caller's affair: it is too long, or isn't what it says, or its caller hung up. */
  get refusal(): GatewayError | undefined {
    return this.#refusal;
  }

  /** What one server reads it from. Whoever destroys that leaves the caller's connection alone: an answer still goes over it. */
  open(listener: BodyListener): Readable {
    const source = this.#source.stream;
    let received = 0;
    let isAttached = false;
    const onData = (chunk: Buffer): void => {
      received += chunk.length;
      if (received > this.#limitBytes) {
        this.#refusal ??= new GatewayError(
          'body_too_large',
          `the body has more than ${this.#limitBytes} bytes; no more are taken`,
        );
        copy.destroy(this.#refusal);
      } else if (!copy.push(chunk)) {
        this.#isAwaited = false;
        source.pause();
      }
    };
    const onEnd = (): void => {
      this.#isAwaited = false;
      this.#endedMs = performance.now();
      copy.push(null);
      listener.requestSent();
    };
    // It comes after the body's own listener, which says why.
    const onBroken = (): void => {
      if (!source.readableEnded) copy.destroy(this.#refusal);
    };
    const copy = new Readable({
      read: () => {
        if (this.#refusal !== undefined) {
          copy.destroy(this.#refusal);
          return;
        }
        if (!isAttached) {
          isAttached = true;
          this.#isTouched = true;
          source.on('data', onData).once('end', onEnd).once('error', onBroken).once('close', onBroken);
        }
        this.#isAwaited = true;
        source.resume();
      },
      destroy: (error, done) => {
        source.off('data', onData).off('end', onEnd).off('error', onBroken).off('close', onBroken);
        this.#isAwaited = false;
        if (isAttached) {
          this.#isLeft = true;
          this.#source.discard();
        }
        done(error);
      },
    });
    return copy;
  }
}
