/** Counts what each caller has under way. */
export class Concurrency {
  readonly #underWay = new Map<string, number>();

  /** Callers that have something under way. */
  get size(): number {
    return this.#underWay.size;
  }

  /**
   * @param name the caller's
   * @param limit >= 1
   * @returns to be called once when the request is done; undefined where the caller has as many under way as it may
   */
  enter(name: string, limit: number): (() => void) | undefined {
    const before = this.#underWay.get(name) ?? 0;
    if (before >= limit) return undefined;
    this.#underWay.set(name, before + 1);
    return () => {
      const now = (this.#underWay.get(name) ?? 1) - 1;
      if (now === 0) this.#underWay.delete(name);
      else this.#underWay.set(name, now);
    };
  }
}
