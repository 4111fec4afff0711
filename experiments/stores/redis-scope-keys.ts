import type { Scope } from './ledger.ts';

const SCOPE_KEY = /^(?<prefix>signalbox:\{(?<experiment>[^{}:]+):(?<phase>[0-9]+)\}:)(?<rest>.+)$/;

/** The keys of a phase: its braces put them all into one slot of a cluster. */
export class ScopeKeys {
  readonly #prefix: string;
  constructor({ experiment, phase }: Pick<Scope, 'experiment' | 'phase'>) {
    this.#prefix = `signalbox:{${experiment}:${phase}}:`;
  }

  /** The keys of the phase that a key belongs to; undefined where it is of none. */
  static of(key: string): ScopeKeys | undefined {
    const { experiment, phase } = SCOPE_KEY.exec(key)?.groups ?? {};
    if (experiment === undefined || phase === undefined) return undefined;
    return new ScopeKeys({ experiment, phase: Number(phase) });
  }

  get sums(): string {
    return `${this.#prefix}sums`;
  }
  get epochs(): string {
    return `${this.#prefix}epochs`;
  }
  get open(): string {
    return `${this.#prefix}open`;
  }
  get mirrored(): string {
    return `${this.#prefix}mirrored`;
  }
  get landed(): string {
    return `${this.#prefix}landed`;
  }
  /** While a backup copies the phase: what units, claims and open windows were before they changed. */
  get before(): string {
    return `${this.#prefix}before`;
  }
  unit(unit: string): string {
    return `${this.#prefix}unit:${unit}`;
  }
  claim(uid: string, metric: string): string {
    return `${this.#prefix}outcome:${uid}:${metric}`;
  }
  /** Whether a key is a unit's or a claim's. */
  isOfUnits(key: string): boolean {
    return key.startsWith(`${this.#prefix}unit:`) || key.startsWith(`${this.#prefix}outcome:`);
  }
}
