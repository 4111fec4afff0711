import type { BackendError } from '../errors.ts';
import type { InferAnswer, InferRequest } from '../inference.ts';
import type { BatchMember } from './runner.ts';

interface Settlement {
  resolve(answer: InferAnswer): void;
  reject(error: BackendError): void;
}

/** Where a request waits, and for how long it may. */
export interface QueuePlace {
  /** What it has in common with those it can share a batch with. */
  readonly lane: string;
  /** Its priority, 1 first; 0 where there are no priorities. */
  readonly level: number;
  /** Milliseconds after which the queue policy's action is taken; Infinity: never. */
  readonly timeoutMs: number;
}

/** A request from its arrival to its answer; settled once, whoever comes first. */
export class Pending implements BatchMember {
  readonly request: InferRequest;
  readonly rows: number;
  /** What it has in common with those it can share a batch with. */
  lane: string;
  readonly level: number;
  /** Its place in the order of arrival. */
  readonly number: number;
  readonly arrivalMs = performance.now();
  /** When the queue policy's action is due; Infinity: never, or it was taken. */
  timeoutAtMs: number;
  /** Whether it outstayed its timeout under the policy `DELAY`: it then waits behind the others of its level. */
  isLate = false;
  /** Times its instance died under it. */
  attempts = 0;

  readonly #settlement: Settlement;
  readonly #onAbort: () => void;
  #settled = false;

  constructor(
    number: number,
    request: InferRequest,
    rows: number,
    place: QueuePlace,
    settlement: Settlement,
    onAbort: () => void,
  ) {
    this.number = number;
    this.request = request;
    this.rows = rows;
    this.lane = place.lane;
    this.level = place.level;
    this.timeoutAtMs = this.arrivalMs + place.timeoutMs;
    this.#settlement = settlement;
    this.#onAbort = onAbort;
    request.signal?.addEventListener('abort', onAbort, { once: true });
  }

  /** When it has to have left the queue, in `performance.now()` milliseconds. */
  get expiresAtMs(): number {
    return Math.min(this.request.deadlineMs, this.timeoutAtMs);
  }

  get isSettled(): boolean {
    return this.#settled;
  }

  resolve(answer: InferAnswer): void {
    if (this.#settle()) this.#settlement.resolve(answer);
  }

  reject(error: BackendError): void {
    if (this.#settle()) this.#settlement.reject(error);
  }

  #settle(): boolean {
    if (this.#settled) return false;
    this.#settled = true;
    this.request.signal?.removeEventListener('abort', this.#onAbort);
    return true;
  }
}
