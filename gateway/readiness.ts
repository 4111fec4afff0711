/** Whether a balancer should send traffic here. */
export class Readiness {
  #state: 'starting' | 'ready' | 'stopping' = 'starting';
  readonly #listeners = new Set<() => void>();

  get isReady(): boolean {
    return this.#state === 'ready';
  }

  /**
   * Tells a listener whenever the gateway becomes ready, or stops being so.
   *
   * @returns ends that
   */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  become(state: 'ready' | 'stopping'): void {
    if (this.#state === state) return;
    this.#state = state;
    for (const listener of this.#listeners) listener();
  }
}
