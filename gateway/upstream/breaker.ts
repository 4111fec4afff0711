/** What one request said of its server; `undecided` where it ended before anything could be known. */
export type Verdict = 'works' | 'fails' | 'undecided';

type State =
  | { readonly kind: 'closed'; failures: number }
  /** Left alone until then. */
  | { readonly kind: 'open'; readonly untilMs: number }
  /** One request tries whether it is back. */
  | { readonly kind: 'trying' };

export interface BreakerOptions {
  /** In a row, after which the server is left alone. */
  readonly failures: number;
  /** For so many milliseconds; then one request tries. */
  readonly openForMs: number;
}

/**
 * Leaves a server alone that failed several times in a row. A request that ends undecided changes nothing: the next one tries in its
 * place. What began before the state changed has no say in the new one.
 *
 * Source: M. Nygard, Release It!, "Circuit Breaker".
 */
export class Breaker {
  readonly #options: BreakerOptions;
  readonly #now: () => number;
  #state: State = { kind: 'closed', failures: 0 };

  /** @param now milliseconds of a clock that never goes back */
  constructor(options: BreakerOptions, now: () => number = () => performance.now()) {
    this.#options = options;
    this.#now = now;
  }

  /**
   * Lets a request through, or not.
   *
   * @returns to be called once with what it said; undefined while the server is left alone
   */
  admit(): ((verdict: Verdict) => void) | undefined {
    const { kind } = this.#state;
    if (kind === 'trying' || (kind === 'open' && this.#now() < this.#state.untilMs)) return undefined;
    if (kind === 'open') this.#state = { kind: 'trying' };
    const admitted = this.#state;
    return (verdict) => {
      if (this.#state === admitted) this.#state = this.#after(admitted, verdict);
    };
  }

  #after(state: State, verdict: Verdict): State {
    switch (verdict) {
      case 'works':
        if (state.kind !== 'closed') return { kind: 'closed', failures: 0 };
        // The same state, so that those under way go on having a say.
        state.failures = 0;
        return state;
      case 'undecided':
        return state.kind === 'trying' ? { kind: 'open', untilMs: this.#now() } : state;
      case 'fails': {
        if (state.kind === 'closed') {
          state.failures += 1;
          if (state.failures < this.#options.failures) return state;
        }
        return { kind: 'open', untilMs: this.#now() + this.#options.openForMs };
      }
    }
  }
}
