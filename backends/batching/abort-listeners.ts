export interface AbortListener {
  /** Called once, when the signal is aborted. */
  onAbort(): void;
}

/**
 * Tells the listeners of one signal that it was aborted, by a single listener of the platform: a signal mostly stands for
 * a connection, which carries one request after the other, and to add a listener of the platform's for each of them and take
 * it away again costs more than all else that queueing does.
 */
export class AbortListeners {
  /** Most connections carry one request at a time. */
  #only: AbortListener | undefined;
  #others: Set<AbortListener> | undefined;

  /** Has a listener told when a signal that isn't aborted yet is; {@link delete} ends that. */
  static add(signal: AbortSignal, listener: AbortListener): AbortListeners {
    let listeners = listenersOf.get(signal);
    if (listeners === undefined) {
      listeners = new AbortListeners(signal);
      listenersOf.set(signal, listeners);
    }
    listeners.#add(listener);
    return listeners;
  }

  private constructor(signal: AbortSignal) {
    signal.addEventListener(
      'abort',
      () => {
        this.#tell();
      },
      { once: true },
    );
  }

  delete(listener: AbortListener): void {
    if (this.#only === listener) this.#only = undefined;
    else this.#others?.delete(listener);
  }

  #add(listener: AbortListener): void {
    if (this.#only === undefined) this.#only = listener;
    else (this.#others ??= new Set()).add(listener);
  }

  #tell(): void {
    this.#only?.onAbort();
    for (const other of this.#others ?? []) other.onAbort();
    this.#only = undefined;
    this.#others?.clear();
  }
}

const listenersOf = new WeakMap<AbortSignal, AbortListeners>();
