/** Counts those who keep a version loaded, so that it is freed only after the last of them. */
export class Holders {
  #count = 0;
  #unheld: PromiseWithResolvers<undefined> | undefined;

  /** @returns ends the hold; to be called once */
  hold(): () => void {
    this.#count += 1;
    return () => {
      this.#count -= 1;
      if (this.#count === 0) this.#unheld?.resolve(undefined);
    };
  }

  /** Resolves when nobody holds it any more. */
  async left(): Promise<void> {
    if (this.#count === 0) return;
    this.#unheld ??= Promise.withResolvers<undefined>();
    await this.#unheld.promise;
  }
}
