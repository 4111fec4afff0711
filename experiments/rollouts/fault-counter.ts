import { FAULT_KINDS } from './plan.ts';
import type { FaultKind, HardFloor } from './plan.ts';

/** How a request of the variant that is rolled out ended, as far as hard floors look. */
export interface Answered {
  /** `shed`: the variant's own queue turned it away; `other`: it says nothing of the variant, as a caller's mistake. */
  readonly outcome: 'ok' | 'error' | 'timeout' | 'shed' | 'other';
  /** What the request calls its unit; undefined: it names none. */
  readonly unit: string | undefined;
  /** Whether an output had a NaN or an infinity; undefined: there was no answer to look at. */
  readonly isNonFinite: boolean | undefined;
  readonly isOutOfMemory: boolean;
}

/** A floor that was met. */
export interface MetFloor {
  readonly fault: FaultKind;
  readonly count: number;
}

/**
 * Counts the faults of one variant on this replica. Errors, timeouts and values that are not finite are counted in a row; workers that die and
 * memory that runs out since the counter was made, which is at each step of the rollout.
 *
 * What the variant's queue turns away is an error, once for each unit in a row: one caller who sends more at once than a queue holds is no
 * fault of the variant. A control that is turning requests away too ends such a row.
 */
export class FaultCounter {
  readonly #floor: HardFloor;
  readonly #counts: Record<FaultKind, number> = {
    error: 0,
    timeout: 0,
    nan: 0,
    worker_death: 0,
    out_of_memory: 0,
  };

  /** The units of the requests in the row of errors that the queue turned away, or a name of its own for each that names none. */
  readonly #shed = new Set<string | symbol>();

  constructor(floor: HardFloor) {
    this.#floor = floor;
  }

  /** @returns the floor that this answer meets, once */
  answered({ outcome, unit, isNonFinite, isOutOfMemory }: Answered): MetFloor | undefined {
    const counts = this.#counts;
    if (outcome === 'ok') {
      [counts.error, counts.timeout] = [0, 0];
      this.#shed.clear();
    }
    if (outcome === 'shed') this.#shed.add(unit ?? Symbol());
    // A timeout between two errors ends no row of failures, and is none of the other kind.
    if (outcome === 'error') counts.error += 1;
    if (outcome === 'timeout') counts.timeout += 1;
    if (isNonFinite !== undefined) counts.nan = isNonFinite ? counts.nan + 1 : 0;
    if (isOutOfMemory) counts.out_of_memory += 1;
    return this.#met();
  }

  /** The queue of the control turned a request away. */
  controlShed(): void {
    this.#shed.clear();
  }

  workerDied(isOutOfMemory: boolean): MetFloor | undefined {
    this.#counts.worker_death += 1;
    if (isOutOfMemory) this.#counts.out_of_memory += 1;
    return this.#met();
  }

  #met(): MetFloor | undefined {
    const fault = FAULT_KINDS.find(
      (kind) => this.#floor[kind] > 0 && this.#countOf(kind) >= this.#floor[kind],
    );
    if (fault === undefined) return undefined;
    const count = this.#countOf(fault);
    // Told again only after as many more, in case nothing came of it.
    this.#counts[fault] = 0;
    if (fault === 'error') this.#shed.clear();
    return { fault, count };
  }

  #countOf(fault: FaultKind): number {
    return this.#counts[fault] + (fault === 'error' ? this.#shed.size : 0);
  }
}
