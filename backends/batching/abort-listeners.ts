/**
 * Tells many listeners of one signal that it was aborted, by a single listener of the platform: a signal mostly stands for
 * a connection, which carries one request after the other, and to add a listener of the platform's for each of them and take
 * it away again costs more than all else that queueing does.
 */
const listenersOf = new WeakMap<AbortSignal, Set<AbortListener>>();

export interface AbortListener {
  /** Called once, when the signal is aborted. */
  onAbort(): void;
}

/** Has a listener told when a signal that isn't aborted yet is; {@link ignoreAbort} ends that. */
export function listenToAbort(signal: AbortSignal, listener: AbortListener): void {
  const known = listenersOf.get(signal);
  if (known !== undefined) {
    known.add(listener);
    return;
  }
  const listeners = new Set([listener]);
  listenersOf.set(signal, listeners);
  signal.addEventListener(
    'abort',
    () => {
      for (const told of listeners) told.onAbort();
      listeners.clear();
    },
    { once: true },
  );
}

export function ignoreAbort(signal: AbortSignal, listener: AbortListener): void {
  listenersOf.get(signal)?.delete(listener);
}
