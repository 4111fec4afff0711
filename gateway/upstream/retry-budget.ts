/** Retries that a budget may have saved up, and that it starts with. */
const RESERVE = 10;

/**
 * Keeps retries to a share of the requests, so that a server in trouble isn't sent twice the load: each request adds its share of a
 * retry, each retry takes a whole one. Over any stretch there are at most `share` times its requests, and ten, of them.
 *
 * Source: Finagle's RetryBudget.
 */
export class RetryBudget {
  readonly #share: number;
  #balance = RESERVE;

  /** @param share of the requests, 0 to 1 */
  constructor(share: number) {
    this.#share = share;
  }

  /** Notes a request: its first try, not its retries. */
  deposit(): void {
    this.#balance = Math.min(RESERVE, this.#balance + this.#share);
  }

  /** Takes a retry out, where there is one. */
  take(): boolean {
    if (this.#balance < 1) return false;
    this.#balance -= 1;
    return true;
  }
}
