import type { BackendError } from '../errors.ts';
import type { InferAnswer, InferRequest } from '../inference.ts';
import type { BatchMember } from './runner.ts';

interface Settlement {
  resolve(answer: InferAnswer): void;
  reject(error: BackendError): void;
}

/** A request from its arrival to its answer; settled once, whoever comes first. */
export class Pending implements BatchMember {
  readonly request: InferRequest;
  readonly rows: number;
  /** What it has in common with those it can share a batch with. */
  lane: string;
  readonly arrivalMs = performance.now();
  /** Times its instance died under it. */
  attempts = 0;

  readonly #settlement: Settlement;
  readonly #onAbort: () => void;
  #settled = false;

  constructor(
    request: InferRequest,
    rows: number,
    lane: string,
    settlement: Settlement,
    onAbort: () => void,
  ) {
    this.request = request;
    this.rows = rows;
    this.lane = lane;
    this.#settlement = settlement;
    this.#onAbort = onAbort;
    request.signal?.addEventListener('abort', onAbort, { once: true });
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
