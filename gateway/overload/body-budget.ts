import { overloaded } from './overloaded.ts';
import type { Shed } from './overloaded.ts';

/** The memory that the bodies of all requests under way may take together. */
export class BodyBudget {
  #limitBytes: number;
  readonly #onShed: (reason: Shed) => void;
  #usedBytes = 0;

  /** @param onShed told of each refusal */
  constructor(limitBytes: number, onShed: (reason: Shed) => void = () => undefined) {
    this.#limitBytes = limitBytes;
    this.#onShed = onShed;
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  replace(limitBytes: number): void {
    this.#limitBytes = limitBytes;
  }

  /** A request's share, empty. */
  hold(): BodyHold {
    let heldBytes = 0;
    let isOver = false;
    return {
      grow: (bytes) => {
        if (isOver) return;
        // One request always fits, or the limit for bodies could never be used.
        if (this.#usedBytes > 0 && this.#usedBytes + bytes > this.#limitBytes) {
          this.#onShed('bodies');
          throw overloaded('the bodies of the requests under way take as much memory as they may', undefined);
        }
        heldBytes += bytes;
        this.#usedBytes += bytes;
      },
      release: () => {
        isOver = true;
        this.#usedBytes -= heldBytes;
        heldBytes = 0;
      },
    };
  }
}

export interface BodyHold {
  /** @throws GatewayError `overloaded` */
  readonly grow: (bytes: number) => void;
  /** Gives all of it back; what grows afterwards doesn't count. */
  readonly release: () => void;
}
