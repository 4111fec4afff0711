/** The streams whose callers keep them open: they are told when the gateway stops, as they would keep it waiting. */
export class OpenStreams {
  readonly #stops = new Set<() => void>();
  #isStopping = false;

  /** @param stop ends the stream once what it has under way is answered; called at once where it is too late */
  add(stop: () => void): void {
    if (this.#isStopping) stop();
    else this.#stops.add(stop);
  }

  delete(stop: () => void): void {
    this.#stops.delete(stop);
  }

  stop(): void {
    this.#isStopping = true;
    for (const stop of this.#stops) stop();
    this.#stops.clear();
  }
}
