/** Turns of the event loop that batches are gathered over, at the most, while an instance is idle. */
const MOST_TURNS = 4;

/** Somebody who gathers requests for a batch. */
export interface Gatherer {
  /** What it has used of the device: of several that send at the same time, the one that has used least goes first. */
  readonly usedMs: number;
  /** Whether it has all that it can send at once. */
  hasFullBatch(): boolean;
  /** Sends what it has gathered. */
  dispatch(): void;
}

/**
 * Has versions send their batches at the end of a turn of the event loop, so that all it brought can share a batch.
 *
 * While each turn brings more, the loop is what is busy, not the instances: a bigger batch then wakes fewer threads, and
 * costs no request more than a few turns. The turns are counted for all versions together: one with little traffic sends
 * its requests along with those of the others, and does not wait out the turns by itself.
 */
export class Gathering {
  readonly #due = new Set<Gatherer>();
  /** Requests that have come for those that are due. */
  #arrived = 0;
  #isGathering = false;

  /**
   * Has a gatherer dispatch soon, once.
   *
   * @param arrived requests that have come for it since it last said so
   */
  dispatchSoon(gatherer: Gatherer, arrived: number): void {
    this.#arrived += arrived;
    this.#due.add(gatherer);
    if (this.#isGathering) return;
    this.#isGathering = true;
    this.#gather(MOST_TURNS);
  }

  #gather(turnsLeft: number): void {
    const arrivedBefore = this.#arrived;
    setImmediate(() => {
      if (this.#arrived > arrivedBefore && turnsLeft > 1 && !this.#hasFullBatch()) {
        this.#gather(turnsLeft - 1);
        return;
      }
      this.#isGathering = false;
      const due = [...this.#due].sort((one, other) => one.usedMs - other.usedMs);
      this.#due.clear();
      for (const gatherer of due) gatherer.dispatch();
    });
  }

  #hasFullBatch(): boolean {
    for (const gatherer of this.#due) if (gatherer.hasFullBatch()) return true;
    return false;
  }
}
