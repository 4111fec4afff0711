import { PendingList } from './pending-list.ts';
import type { Pending } from './pending.ts';

/** The requests of one level that can share a batch, each kind in the order it came. */
interface LaneLevel {
  readonly punctual: PendingList;
  /** Those that outstayed their timeout under the policy `DELAY`. */
  readonly late: PendingList;
}

/** Of each level, whether its late requests have waited long enough to go before the punctual ones. */
export type LateTurns = readonly boolean[];

/** The requests that can share a batch: level by level, and within a level the late ones behind the punctual. */
export class Lane {
  readonly #levels: LaneLevel[];
  #requests = 0;
  #rows = 0;

  /** @param lastLevel levels are numbered from 0 to this */
  constructor(lastLevel: number) {
    this.#levels = Array.from({ length: lastLevel + 1 }, () => ({
      punctual: new PendingList(),
      late: new PendingList(),
    }));
  }

  get isEmpty(): boolean {
    return this.#requests === 0;
  }

  /** Rows of all of them. */
  get rows(): number {
    return this.#rows;
  }

  /** When the one that came first came. */
  get oldestArrivalMs(): number {
    let oldestMs = Infinity;
    for (const { punctual, late } of this.#levels) {
      for (const queue of [punctual, late]) {
        for (const { arrivalMs } of queue) {
          oldestMs = Math.min(oldestMs, arrivalMs);
          break;
        }
      }
    }
    return oldestMs;
  }

  add(pending: Pending): void {
    this.#queueOf(pending).push(pending);
    this.#count(pending, 1);
  }

  /** @returns whether it was there */
  remove(pending: Pending): boolean {
    if (!this.#queueOf(pending).remove(pending)) return false;
    this.#count(pending, -1);
    return true;
  }

  /** Puts a request back where it came from: before all of its kind that came after it. */
  putBack(pending: Pending): void {
    this.#queueOf(pending).putBack(pending);
    this.#count(pending, 1);
  }

  /** The first to be run. */
  first(lateTurns: LateTurns): Pending | undefined {
    for (const pending of this.members(lateTurns)) return pending;
    return undefined;
  }

  /** In the order in which they are to be run. */
  *members(lateTurns: LateTurns): Generator<Pending> {
    for (const [level, { punctual, late }] of this.#levels.entries()) {
      if (lateTurns[level] === true) {
        yield* late;
        yield* punctual;
      } else {
        yield* punctual;
        yield* late;
      }
    }
  }

  #count(pending: Pending, sign: 1 | -1): void {
    this.#requests += sign;
    this.#rows += sign * pending.rows;
  }

  #queueOf({ level, isLate }: Pending): PendingList {
    const queues = this.#levels[level];
    if (queues === undefined) throw new Error(`the lane has no level ${level}`);
    return isLate ? queues.late : queues.punctual;
  }
}
