/**
 * Where units of sticky experiments landed.
 *
 * A unit is known by the hash that splits it: two units of one hash land together anyway, so that nothing is lost by
 * it, and no raw unit is kept. Both methods answer at once: an implementation that keeps its entries elsewhere reads
 * from its memory and writes behind.
 */
export interface StickyAssignments {
  /** @returns the variant's name */
  get(experiment: string, phase: number, unitHash: number): string | undefined;
  put(experiment: string, phase: number, unitHash: number, variant: string): void;
}

/** 32 to 64 bytes each. */
const MAX_ENTRIES = 1_000_000;

/**
 * Kept in memory, and lost with the process. The entries are bounded: beyond that the oldest goes, and its unit is split
 * anew when it comes again.
 */
export class MemoryStickyAssignments implements StickyAssignments {
  readonly #maxEntries: number;
  readonly #onEvict: () => void;
  /** By experiment and phase, the oldest entry first. */
  readonly #phases = new Map<string, Map<number, string>>();
  #entries = 0;

  /** @param onEvict told of each entry that had to go */
  constructor(onEvict: () => void, maxEntries = MAX_ENTRIES) {
    this.#onEvict = onEvict;
    this.#maxEntries = maxEntries;
  }

  get(experiment: string, phase: number, unitHash: number): string | undefined {
    return this.#phases.get(`${experiment} ${phase}`)?.get(unitHash);
  }

  put(experiment: string, phase: number, unitHash: number, variant: string): void {
    const key = `${experiment} ${phase}`;
    let units = this.#phases.get(key);
    if (units === undefined) {
      units = new Map();
      this.#phases.set(key, units);
    }
    if (!units.has(unitHash)) {
      if (this.#entries >= this.#maxEntries) this.#evict();
      this.#entries += 1;
    }
    units.set(unitHash, variant);
  }

  /** Forgets the phases that are over. */
  retain(phases: Iterable<{ readonly experiment: string; readonly phase: number }>): void {
    const kept = new Set([...phases].map(({ experiment, phase }) => `${experiment} ${phase}`));
    for (const [key, units] of this.#phases) {
      if (kept.has(key)) continue;
      this.#phases.delete(key);
      this.#entries -= units.size;
    }
  }

  /** The oldest entry of the largest phase goes, so that a small experiment isn't emptied by a large one. */
  #evict(): void {
    let largest: Map<number, string> | undefined;
    for (const units of this.#phases.values()) {
      if (units.size > (largest?.size ?? 0)) largest = units;
    }
    const oldest = largest?.keys().next();
    if (largest === undefined || oldest?.done !== false) return;
    largest.delete(oldest.value);
    this.#entries -= 1;
    this.#onEvict();
  }
}
