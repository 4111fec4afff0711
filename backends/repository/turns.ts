/** Does one thing after the other to each model; what is done to one model keeps no other waiting. */
export class Turns {
  /** By model: the last thing that is to be done to it. */
  readonly #last = new Map<string, Promise<void>>();

  /** Whether something is being done to a model. */
  isTaken(model: string): boolean {
    return this.#last.has(model);
  }

  /**
   * Does something to a model once all is done that was asked for before, however that ended.
   *
   * @throws what the task throws
   */
  async take(model: string, task: () => Promise<void>): Promise<void> {
    const before = this.#last.get(model) ?? Promise.resolve();
    const done = before.catch(() => undefined).then(task);
    this.#last.set(model, done);
    try {
      await done;
    } finally {
      if (this.#last.get(model) === done) this.#last.delete(model);
    }
  }

  /** Resolves when what is being done to a model has ended, well or not. */
  async ended(model: string): Promise<void> {
    await this.#last.get(model)?.catch(() => undefined);
  }

  /** Resolves when nothing of what was asked for until now is being done any more. */
  async allEnded(): Promise<void> {
    await Promise.allSettled(this.#last.values());
  }
}
