/** A version of a model, as metrics name it. */
export interface NamedVersion {
  readonly model: string;
  readonly version: number;
}

/** As long as the series of what is gone are told: whoever looks at the last hour still sees them. */
const KEPT_MS = 3_600_000;

/** What was there, and is so no more: without an end its series would grow with every release or experiment, for as long as the process lives. */
export class Departed<Item> {
  readonly #nameOf: (item: Item) => string;
  readonly #lastSeen = new Map<string, { readonly item: Item; readonly atMs: number }>();

  /** @param nameOf tells two of them apart */
  constructor(nameOf: (item: Item) => string) {
    this.#nameOf = nameOf;
  }

  /**
   * @param present at this moment
   * @param nowMs by a clock that is never set
   * @returns those that have been gone for an hour, each once
   */
  gone(present: Iterable<Item>, nowMs: number): readonly Item[] {
    for (const item of present) this.#lastSeen.set(this.#nameOf(item), { item, atMs: nowMs });
    const gone: Item[] = [];
    for (const [name, { item, atMs }] of this.#lastSeen) {
      if (nowMs - atMs < KEPT_MS) continue;
      this.#lastSeen.delete(name);
      gone.push(item);
    }
    return gone;
  }
}
