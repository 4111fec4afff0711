import { BackendError } from '../errors.ts';
import { DeadlineTimer } from './deadline-timer.ts';
import type { PendingList } from './pending-list.ts';
import type { Pending } from './pending.ts';
import type { RequestQueue } from './request-queue.ts';

export interface ExpiryActions {
  /** The request gets no answer any more. */
  giveUp(pending: Pending, error: BackendError): void;
  /** The request has waited for as long as its queue policy lets it. */
  outstay(pending: Pending): void;
}

/** Watches the deadlines of all that wait and run, and the queue timeouts of those that wait, with one timer. */
export class Expiry {
  readonly #queue: RequestQueue;
  readonly #running: PendingList;
  readonly #actions: ExpiryActions;
  readonly #timer = new DeadlineTimer(() => {
    this.check();
  });

  constructor(queue: RequestQueue, running: PendingList, actions: ExpiryActions) {
    this.#queue = queue;
    this.#running = running;
    this.#actions = actions;
  }

  /** Watches a request that waits. */
  watch(pending: Pending): void {
    this.#timer.watch(pending.expiresAtMs);
  }

  /** Whether somebody's time is over: the timer may be late, when the event loop was held. */
  isDue(nowMs: number): boolean {
    return this.#timer.isDue(nowMs);
  }

  stop(): void {
    this.#timer.stop();
  }

  /** Acts on all whose time is over, and watches the others. */
  check(): void {
    this.#timer.stop();
    const nowMs = performance.now();
    for (const pending of this.#queue.members) {
      if (pending.isSettled) continue;
      if (pending.request.deadlineMs <= nowMs) {
        const message = 'Request timeout expired while it was queued';
        this.#actions.giveUp(pending, new BackendError('expired_in_queue', message));
      } else if (pending.timeoutAtMs <= nowMs) {
        this.#actions.outstay(pending);
      } else {
        this.watch(pending);
      }
    }
    // With answers in order, giving one up may answer others.
    for (const pending of [...this.#running]) {
      const { deadlineMs } = pending.request;
      if (pending.isSettled) continue;
      if (deadlineMs > nowMs) this.#timer.watch(deadlineMs);
      else {
        const message = 'Request timeout expired while the model ran';
        this.#actions.giveUp(pending, new BackendError('expired_in_run', message));
      }
    }
  }
}
