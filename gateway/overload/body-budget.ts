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
    return new BodyHold(this);
  }

  /**
   * @param bytes more of them
   * @param ownBytes that the same request has already
   * @throws GatewayError `overloaded`
   */
  take(bytes: number, ownBytes: number): void {
    // One request always fits, or the limit for bodies could never be used.
    if (this.#usedBytes > ownBytes && this.#usedBytes + bytes > this.#limitBytes) {
      this.#onShed('bodies');
      throw overloaded('the bodies of the requests under way take as much memory as they may', undefined);
    }
    this.#usedBytes += bytes;
  }

  giveBack(bytes: number): void {
    this.#usedBytes -= bytes;
  }
}

/** What one request has of the memory for bodies: what it said it would send, or, where that is less, what has come of it. */
export class BodyHold {
  readonly #budget: BodyBudget;
  #heldBytes = 0;
  #receivedBytes = 0;
  #isOver = false;

  constructor(budget: BodyBudget) {
    this.#budget = budget;
  }

  /**
   * Counts bytes that were announced, before they come.
   *
   * @throws GatewayError `overloaded`
   */
  reserve(bytes: number): void {
    if (this.#isOver) return;
    this.#budget.take(bytes, this.#heldBytes);
    this.#heldBytes += bytes;
  }

  /**
   * Counts bytes that have come, where they are more than were announced: a body need not say how long it is, nor what it inflates to.
   *
   * @throws GatewayError `overloaded`
   */
  receive(bytes: number): void {
    if (this.#isOver) return;
    const further = Math.max(0, this.#receivedBytes + bytes - this.#heldBytes);
    this.#budget.take(further, this.#heldBytes);
    this.#receivedBytes += bytes;
    this.#heldBytes += further;
  }

  /** Gives back what was received, and is no longer kept. */
  giveBack(bytes: number): void {
    if (this.#isOver) return;
    this.#receivedBytes -= bytes;
    this.#heldBytes -= bytes;
    this.#budget.giveBack(bytes);
  }

  /** Gives all of it back; what comes afterwards doesn't count. */
  release(): void {
    this.#isOver = true;
    this.#budget.giveBack(this.#heldBytes);
    this.#heldBytes = 0;
  }
}
