import type { Servable } from '../servable.ts';

/** A line of the repository's index, in Triton's words. */
export interface IndexEntry {
  readonly name: string;
  readonly version: number;
  readonly state: 'READY' | 'LOADING' | 'UNLOADING' | 'UNAVAILABLE';
  /** Why it isn't ready, or why a newer file of it isn't served; empty where all is well. */
  readonly reason: string;
}

interface Slot {
  /** What was last tried to load: the files and the configuration. */
  readonly wish: string;
  /** What serves; it may be older than the wish, when that failed. */
  readonly loaded: Servable | undefined;
  readonly isLoading: boolean;
  readonly reason: string;
}

/** A model by the name that callers use, and its versions. */
export class ServedModel {
  readonly name: string;
  readonly #slots = new Map<number, Slot>();

  constructor(name: string) {
    this.name = name;
  }

  /** Every version there is, ready or not, ascending. */
  get versions(): readonly number[] {
    return [...this.#slots.keys()].sort((a, b) => a - b);
  }

  /** The versions that can answer, ascending. */
  get ready(): readonly Servable[] {
    return this.versions.map((version) => this.version(version)).filter((loaded) => loaded !== undefined);
  }

  /** A version that can answer; undefined where it can't or isn't there. */
  version(number: number): Servable | undefined {
    return this.#slots.get(number)?.loaded;
  }

  /** What answers an unversioned call where there is no experiment. */
  get highestReady(): Servable | undefined {
    return this.ready.at(-1);
  }

  index(): readonly IndexEntry[] {
    return [...this.#slots]
      .sort(([a], [b]) => a - b)
      .map(([version, { loaded, isLoading, reason }]) => {
        const state = loaded !== undefined ? 'READY' : isLoading ? 'LOADING' : 'UNAVAILABLE';
        return { name: this.name, version, state, reason };
      });
  }

  /** What was last tried to load as this version. */
  wishOf(version: number): string | undefined {
    return this.#slots.get(version)?.wish;
  }

  /** Whether a version serves just what was last wished. */
  isAsWished(version: number): boolean {
    const slot = this.#slots.get(version);
    return slot?.loaded !== undefined && !slot.isLoading && slot.reason === '';
  }

  /** Notes that a wish is being loaded; what served before goes on serving. */
  begin(version: number, wish: string): void {
    this.#slots.set(version, { wish, loaded: this.version(version), isLoading: true, reason: '' });
  }

  /** Lets a loaded version take the traffic; returns the one it replaces. */
  put(version: number, wish: string, loaded: Servable): Servable | undefined {
    const replaced = this.version(version);
    this.#slots.set(version, { wish, loaded, isLoading: false, reason: '' });
    return replaced;
  }

  /** Notes that a wish failed; what served before goes on serving. */
  fail(version: number, wish: string, reason: string): void {
    this.#slots.set(version, { wish, loaded: this.version(version), isLoading: false, reason });
  }

  /**
   * Has what failed tried again by who looks next, though nobody has changed its files: the reason may have been another. Of what serves all the
   * same, the reason was that of an earlier wish.
   */
  forgetFailures(): void {
    for (const [version, slot] of this.#slots) {
      if (slot.isLoading || slot.reason === '') continue;
      this.#slots.set(version, { ...slot, wish: '', reason: slot.loaded === undefined ? slot.reason : '' });
    }
  }

  /** Takes a version out of the traffic, and says why; returns it where it was loaded. */
  withdraw(version: number, wish: string, reason: string): Servable | undefined {
    const loaded = this.version(version);
    this.#slots.set(version, { wish, loaded: undefined, isLoading: false, reason });
    return loaded;
  }

  /** Whether a version is being loaded and none serves in its place. */
  isAwaited(version: number): boolean {
    const slot = this.#slots.get(version);
    return slot?.isLoading === true && slot.loaded === undefined;
  }

  /** Takes a version out; returns it where it was loaded. */
  take(version: number): Servable | undefined {
    const loaded = this.version(version);
    this.#slots.delete(version);
    return loaded;
  }

  takeAll(): readonly Servable[] {
    return this.versions.map((version) => this.take(version)).filter((loaded) => loaded !== undefined);
  }
}
