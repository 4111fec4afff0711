import type { Pending } from './pending.ts';

/** Requests that can share a batch, oldest first. */
export interface Lane {
  readonly members: ReadonlySet<Pending>;
  /** Rows of all of them. */
  readonly rows: number;
}

interface MutableLane {
  readonly members: Set<Pending>;
  rows: number;
}

/** The requests that wait, in lanes of those that can share a batch. Entering and leaving cost the same however many wait. */
export class LaneQueue {
  readonly #lanes = new Map<string, MutableLane>();
  #length = 0;

  /** Requests that wait. */
  get length(): number {
    return this.#length;
  }

  /** None of them empty. */
  get lanes(): Iterable<Lane> {
    return this.#lanes.values();
  }

  /** All that wait, lane by lane; what leaves while they are visited does no harm. */
  get members(): readonly Pending[] {
    return [...this.#lanes.values()].flatMap((lane) => [...lane.members]);
  }

  add(pending: Pending): void {
    let lane = this.#lanes.get(pending.lane);
    if (lane === undefined) {
      lane = { members: new Set(), rows: 0 };
      this.#lanes.set(pending.lane, lane);
    }
    lane.members.add(pending);
    lane.rows += pending.rows;
    this.#length += 1;
  }

  /** Takes a request out, where it waits. */
  remove(pending: Pending): void {
    const lane = this.#lanes.get(pending.lane);
    if (lane?.members.delete(pending) !== true) return;
    lane.rows -= pending.rows;
    this.#length -= 1;
    if (lane.members.size === 0) this.#lanes.delete(pending.lane);
  }

  /** Takes the oldest of a lane, as many as fit into `rows`, and at least one. */
  take(lane: Lane, rows: number): readonly Pending[] {
    const taken: Pending[] = [];
    let taking = 0;
    for (const pending of lane.members) {
      if (taken.length > 0 && taking + pending.rows > rows) break;
      taken.push(pending);
      taking += pending.rows;
    }
    for (const pending of taken) this.remove(pending);
    return taken;
  }
}

/** The largest preferred size that the oldest members of a lane add up to; 0 where there is none. */
export function largestPreferred(lane: Lane, preferredRows: readonly number[]): number {
  if (preferredRows.length === 0) return 0;
  const largest = Math.max(...preferredRows);
  let found = 0;
  let rows = 0;
  for (const pending of lane.members) {
    rows += pending.rows;
    if (rows > largest) break;
    if (preferredRows.includes(rows)) found = rows;
  }
  return found;
}
