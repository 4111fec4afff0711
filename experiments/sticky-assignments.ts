/**
 * Where units of sticky experiments landed.
 *
 * A unit is known by the hash that splits it: two units of one hash land together anyway, so that nothing is lost by
 * it, and no raw unit is kept. Both methods answer at once: an implementation that keeps its entries elsewhere too reads
 * from its memory.
 */
export interface StickyAssignments {
  /** @returns the variant's name */
  get(experiment: string, phase: number, unitHash: number): string | undefined;
  put(experiment: string, phase: number, unitHash: number, variant: string): void;
}

type OnEvict = (experiment: string, phase: number, unitHash: number) => void;

/** A phase that goes on, and the variants that keep their units. */
export interface StickyPhase {
  readonly experiment: string;
  readonly phase: number;
  readonly variants: readonly string[];
}

/** 32 to 64 bytes each. */
const MAX_ENTRIES = 1_000_000;

/**
 * Kept in memory, and lost with the process. The entries are bounded: beyond that the oldest goes, and its unit is split
 * anew when it comes again.
 */
export class MemoryStickyAssignments implements StickyAssignments {
  readonly #maxEntries: number;
  readonly #onEvict: OnEvict;
  /** By experiment and phase, the oldest entry first. */
  readonly #phases = new Map<string, Map<number, string>>();
  #entries = 0;

  /** @param onEvict told of each entry that had to go */
  constructor(onEvict: OnEvict, maxEntries = MAX_ENTRIES) {
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

  /** Forgets the phases that are over, and the units of variants that keep none. */
  retain(phases: Iterable<StickyPhase>): void {
    const kept = new Map(
      [...phases].map(({ experiment, phase, variants }) => [`${experiment} ${phase}`, variants]),
    );
    for (const [key, units] of this.#phases) {
      const before = units.size;
      const variants = kept.get(key);
      if (variants === undefined) this.#phases.delete(key);
      else for (const [unit, variant] of units) if (!variants.includes(variant)) units.delete(unit);
      this.#entries -= variants === undefined ? before : before - units.size;
    }
  }

  /** The oldest entry of the largest phase goes, so that a small experiment isn't emptied by a large one. */
  #evict(): void {
    let largest: readonly [key: string, units: Map<number, string>] | undefined;
    for (const entry of this.#phases) {
      if (entry[1].size > (largest?.[1].size ?? 0)) largest = entry;
    }
    if (largest === undefined) return;
    const [key, units] = largest;
    const oldest = units.keys().next();
    if (oldest.done !== false) return;
    units.delete(oldest.value);
    this.#entries -= 1;
    const [experiment = '', phase] = key.split(' ');
    this.#onEvict(experiment, Number(phase), oldest.value);
  }
}
