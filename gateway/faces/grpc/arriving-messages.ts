import type { Duplex } from 'node:stream';
import { GatewayError } from '../../errors.ts';
import type { BodyHold } from '../../overload/body-budget.ts';
import { MessageFrames } from './message-frames.ts';

export interface ArrivalOptions {
  readonly stream: Duplex;
  readonly hold: BodyHold;
  /** Whether it is a stream of messages, each of which is for itself. */
  readonly isStream: boolean;
  /** How long a message may take to come, and a call for one answer to be asked whole. */
  readonly longestMs: number;
  /** Ends the call with a `body_timeout`, or with what the hold throws. */
  readonly refuse: (error: unknown) => void;
}

/**
 * What a call receives: its memory counts from the first byte on, of a call for one answer until it is over, and of a message of a stream
 * until it is passed on.
 */
export class ArrivingMessages {
  readonly #options: ArrivalOptions;
  readonly #frames = new MessageFrames();
  /** Bytes of each message that came whole and was not passed on yet. */
  readonly #lengths: number[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(options: ArrivalOptions) {
    this.#options = options;
    const { stream, hold, isStream } = options;
    // Before gRPC's own look at it: what is refused is not kept.
    stream.prependListener('data', (bytes: Buffer) => {
      this.#receive(bytes);
    });
    stream.once('end', () => {
      this.#stopTimer();
    });
    stream.once('close', () => {
      this.#stopTimer();
      hold.release();
    });
    if (!isStream) this.#startTimer();
    else {
      // While the gateway reads no further it is not the caller who takes long.
      stream.on('pause', () => {
        this.#stopTimer();
      });
      stream.on('resume', () => {
        if (this.#frames.isMidway) this.#startTimer();
      });
    }
  }

  /** @returns whether the message, which was received whole, may go on its way */
  passOn(message: unknown): boolean {
    const { hold, isStream, refuse } = this.#options;
    const bytes = this.#lengths.shift() ?? 0;
    if (isStream) {
      hold.giveBack(bytes);
      return true;
    }
    // One that was compressed is longer now.
    const further = message instanceof Uint8Array ? message.length - bytes : 0;
    if (further <= 0) return true;
    try {
      hold.receive(further);
      return true;
    } catch (error) {
      refuse(error);
      return false;
    }
  }

  #receive(bytes: Buffer): void {
    const { hold, isStream, refuse } = this.#options;
    try {
      hold.receive(bytes.length);
    } catch (error) {
      refuse(error);
      return;
    }
    const ended = this.#frames.read(bytes);
    this.#lengths.push(...ended);
    // Between two of its messages a stream may be silent for as long as it likes.
    if (!isStream) return;
    if (ended.length > 0) this.#stopTimer();
    if (this.#frames.isMidway) this.#startTimer();
  }

  #startTimer(): void {
    const { longestMs, refuse } = this.#options;
    this.#timer ??= setTimeout(() => {
      refuse(new GatewayError('body_timeout', `the message did not come whole within ${longestMs} ms`));
    }, longestMs);
  }

  #stopTimer(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
