/** Remembers the last names that were seen, at least `size` and at most twice as many of them. */
export class RecentlySeen<Name extends string | number = string> {
  readonly #size: number;
  #current = new Set<Name>();
  #previous: ReadonlySet<Name> = new Set();

  constructor(size: number) {
    this.#size = size;
  }

  /** Remembers the name; returns whether it is new. */
  add(name: Name): boolean {
    if (this.#current.has(name)) return false;
    const isNew = !this.#previous.has(name);
    if (this.#current.size >= this.#size) {
      this.#previous = this.#current;
      this.#current = new Set();
    }
    this.#current.add(name);
    return isNew;
  }

  clear(): void {
    this.#current = new Set();
    this.#previous = new Set();
  }
}
