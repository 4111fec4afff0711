import { Readable } from 'node:stream';
import { GatewayError } from '../errors.ts';

/**
 * A caller's body that is passed on as it comes. It can be given to one server only once something of it was read; until then,
 * as after a refused connection, it can be given to another.
 */
export class StreamedBody {
  readonly #source: Readable;
  readonly #limitBytes: number;
  #isTouched = false;
  #refusal: GatewayError | undefined;

  /**
   * @param source not yet flowing
   * @param limitBytes a longer body breaks off
   */
  constructor(source: Readable, limitBytes: number) {
    this.#source = source;
    this.#limitBytes = limitBytes;
  }

  /** What it comes from, for whoever wants it whole after nobody touched it. */
  get source(): Readable {
    return this.#source;
  }

  /** Whether something of it was read, so that it can't be sent from its start again. */
  get isTouched(): boolean {
    return this.#isTouched;
  }

  /** Why it was broken off, where the gateway did. */
  get refusal(): GatewayError | undefined {
    return this.#refusal;
  }

  /**
   * What one server reads it from. Whoever destroys that leaves the caller's connection alone: an answer still goes over it.
   *
   * @param onSent called when all of it was taken
   */
  open(onSent: () => void): Readable {
    const source = this.#source;
    let received = 0;
    let isAttached = false;
    const onData = (chunk: Buffer): void => {
      received += chunk.length;
      if (received > this.#limitBytes) {
        this.#refusal = new GatewayError(
          'body_too_large',
          `the body has more than ${this.#limitBytes} bytes; no more are taken`,
        );
        copy.destroy(this.#refusal);
      } else if (!copy.push(chunk)) source.pause();
    };
    const onEnd = (): void => {
      copy.push(null);
      onSent();
    };
    const onError = (error: Error): void => {
      copy.destroy(error);
    };
    const copy = new Readable({
      read: () => {
        if (!isAttached) {
          isAttached = true;
          this.#isTouched = true;
          source.on('data', onData).once('end', onEnd).once('error', onError).once('close', onClose);
        }
        source.resume();
      },
      destroy: (error, done) => {
        source.off('data', onData).off('end', onEnd).off('error', onError).off('close', onClose);
        // The rest of it passes unread, so that the answer can be sent.
        if (isAttached) source.resume();
        done(error);
      },
    });
    const onClose = (): void => {
      if (!source.readableEnded) copy.destroy(new Error('the caller hung up in the middle of its body'));
    };
    return copy;
  }
}
