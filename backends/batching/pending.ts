import { BackendError } from '../errors.ts';
import type { InferAnswer, InferRequest } from '../inference.ts';
import { AbortListeners } from './abort-listeners.ts';
import type { AbortListener } from './abort-listeners.ts';
import type { BatchMember } from './runner.ts';

/** How a request ends. */
export interface Settlement {
  resolve(answer: InferAnswer): void;
  reject(error: BackendError): void;
  /** Its caller has hung up: it is to be given up. */
  hangUp(pending: Pending): void;
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

/** A run that has begun, as its members know it. */
export interface StartedRun {
  readonly batchId: number;
  /** In `performance.now()` milliseconds. */
  readonly startMs: number;
  /** Of all members. */
  readonly rows: number;
}

/** A request's place in the list that it is in. */
export interface ListPlace {
  /** The list itself, by which it knows its own. */
  readonly list: object;
  previous: Pending | undefined;
  next: Pending | undefined;
}

/** A request from its arrival to its answer; settled once, whoever comes first. */
export class Pending implements BatchMember, AbortListener {
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
  /** The run that it is part of; undefined while it waits. */
  run: StartedRun | undefined;
  /** Among those that wait, or run, with it. */
  place: ListPlace | undefined;

  readonly #settlement: Settlement;
  readonly #hangUps: AbortListeners | undefined;
  #settled = false;

  constructor(
    number: number,
    request: InferRequest,
    rows: number,
    place: QueuePlace,
    settlement: Settlement,
  ) {
    this.number = number;
    this.request = request;
    this.rows = rows;
    this.lane = place.lane;
    this.level = place.level;
    this.timeoutAtMs = this.arrivalMs + place.timeoutMs;
    this.#settlement = settlement;
    this.#hangUps = request.signal && AbortListeners.add(request.signal, this);
  }

  /** When it has to have left the queue, in `performance.now()` milliseconds. */
  get expiresAtMs(): number {
    return Math.min(this.request.deadlineMs, this.timeoutAtMs);
  }

  get isSettled(): boolean {
    return this.#settled;
  }

  onAbort(): void {
    this.#settlement.hangUp(this);
  }

  resolve(answer: InferAnswer): void {
    if (this.#settle()) this.#settlement.resolve(answer);
  }

  reject(error: BackendError): void {
    if (this.#settle())
      this.#settlement.reject(this.run === undefined ? error : this.#ranBy(this.run, error));
  }

  /** The error, with how long this request waited and was run for. */
  #ranBy({ startMs, rows, batchId }: StartedRun, error: BackendError): BackendError {
    const { fault, message, cause, retryAfterMs } = error;
    const run = {
      queueMs: startMs - this.arrivalMs,
      computeMs: performance.now() - startMs,
      batchId,
      batchRows: rows,
    };
    return new BackendError(fault, message, { cause, retryAfterMs, run });
  }

  #settle(): boolean {
    if (this.#settled) return false;
    this.#settled = true;
    this.#hangUps?.delete(this);
    return true;
  }
}
