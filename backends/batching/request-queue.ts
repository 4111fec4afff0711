import { Lane } from './lane.ts';
import type { Pending } from './pending.ts';

/** Batches that may pass a level's late requests by: the next one starts with them, so that they wait long, but not for ever. */
const MOST_PASSED_BY = 8;

interface LevelCount {
  requests: number;
  rows: number;
  late: number;
  /** Batches of punctual requests in a row that left late ones waiting. */
  passedBy: number;
}

/**
 * The requests that wait, in lanes of those that can share a batch. Lower levels go first, all of them; within a level
 * the order is that of arrival, the late ones behind. Entering and leaving cost the same however many wait.
 */
export class RequestQueue {
  readonly #lanes = new Map<string, Lane>();
  readonly #levels: LevelCount[];
  readonly #lateTurns: boolean[];
  #length = 0;

  /** @param lastLevel levels are numbered from 0 to this */
  constructor(lastLevel: number) {
    this.#levels = Array.from({ length: lastLevel + 1 }, () => ({
      requests: 0,
      rows: 0,
      late: 0,
      passedBy: 0,
    }));
    this.#lateTurns = this.#levels.map(() => false);
  }

  /** Requests that wait. */
  get length(): number {
    return this.#length;
  }

  /** None of them empty. */
  get lanes(): Iterable<Lane> {
    return this.#lanes.values();
  }

  /** Of how many kinds the requests are that can't share a batch. */
  get laneCount(): number {
    return this.#lanes.size;
  }

  /** Requests of one level that wait. */
  lengthOf(level: number): number {
    return this.#countOf(level).requests;
  }

  /** Rows that go before a request of this level which comes now. */
  rowsBefore(level: number): number {
    let rows = 0;
    for (let index = 0; index <= level && index < this.#levels.length; index++)
      rows += this.#levels[index]?.rows ?? 0;
    return rows;
  }

  /** All that wait, lane by lane; what leaves while they are visited does no harm. */
  get members(): readonly Pending[] {
    return [...this.#lanes.values()].flatMap((lane) => [...lane.members(this.#lateTurns)]);
  }

  add(pending: Pending): void {
    this.#laneOf(pending).add(pending);
    this.#count(pending, 1);
  }

  /** Takes a request out, where it waits. */
  remove(pending: Pending): void {
    const lane = this.#lanes.get(pending.lane);
    if (lane?.remove(pending) !== true) return;
    this.#count(pending, -1);
    if (lane.isEmpty) this.#lanes.delete(pending.lane);
  }

  /** Puts requests back where they came from: in the order of their arrival. */
  putBack(members: readonly Pending[]): void {
    for (const pending of members) {
      this.#laneOf(pending).putBack(pending);
      this.#count(pending, 1);
    }
  }

  /** Has a request that waits wait on behind the others of its level. */
  delay(pending: Pending): void {
    this.remove(pending);
    pending.isLate = true;
    this.add(pending);
  }

  first(lane: Lane): Pending | undefined {
    return lane.first(this.#lateTurns);
  }

  /** A lane's requests in the order in which they are to be run. */
  inOrder(lane: Lane): Iterable<Pending> {
    return lane.members(this.#lateTurns);
  }

  /** Whether one request is to be run before another of another lane. */
  goesBefore(one: Pending, other: Pending): boolean {
    const [rank, otherRank] = [this.#rankOf(one), this.#rankOf(other)];
    return rank < otherRank || (rank === otherRank && one.number < other.number);
  }

  /** Takes the first of a lane, as many as fit into `rows`, and at least one; nobody is overtaken by a smaller one. */
  take(lane: Lane, rows: number): readonly Pending[] {
    const taken: Pending[] = [];
    let taking = 0;
    for (const pending of this.inOrder(lane)) {
      if (taken.length > 0 && taking + pending.rows > rows) break;
      taken.push(pending);
      taking += pending.rows;
    }
    for (const pending of taken) this.remove(pending);
    this.#noteTurns(taken);
    return taken;
  }

  /** Counts the batches that passed late requests by. */
  #noteTurns(taken: readonly Pending[]): void {
    for (const [level, count] of this.#levels.entries()) {
      const ofLevel = count.late > 0 ? taken.filter((pending) => pending.level === level) : [];
      if (count.late === 0 || ofLevel.some((pending) => pending.isLate)) count.passedBy = 0;
      else if (ofLevel.length > 0) count.passedBy += 1;
      this.#lateTurns[level] = count.passedBy >= MOST_PASSED_BY;
    }
  }

  #rankOf({ level, isLate }: Pending): number {
    return level + (isLate && this.#lateTurns[level] !== true ? 0.5 : 0);
  }

  #count(pending: Pending, sign: 1 | -1): void {
    const count = this.#countOf(pending.level);
    count.requests += sign;
    count.rows += sign * pending.rows;
    if (pending.isLate) count.late += sign;
    this.#length += sign;
  }

  #countOf(level: number): LevelCount {
    const count = this.#levels[level];
    if (count === undefined) throw new Error(`the queue has no level ${level}`);
    return count;
  }

  #laneOf(pending: Pending): Lane {
    let lane = this.#lanes.get(pending.lane);
    if (lane === undefined) {
      lane = new Lane(this.#levels.length - 1);
      this.#lanes.set(pending.lane, lane);
    }
    return lane;
  }
}
