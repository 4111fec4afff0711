import { idOf, matches } from './api-key.ts';
import type { KeyEntry } from './keys-file.ts';

/** Whose key it is, or why it opens nothing. */
export type KeyCheck =
  | { readonly kind: 'known'; readonly key: KeyEntry }
  /** No key of ours, whatever is wrong with it: which part it was is not told. */
  | { readonly kind: 'unknown' }
  | { readonly kind: 'expired'; readonly key: KeyEntry };

/** Stands in for a key whose id is not known, so that its check takes as long. */
const NOBODYS_HASH = Buffer.alloc(32);

/** The keys in force; replaced as a whole when their file changes. */
export class KeyRing {
  #keys: ReadonlyMap<string, KeyEntry>;

  constructor(keys: ReadonlyMap<string, KeyEntry>) {
    this.#keys = keys;
  }

  get keys(): readonly KeyEntry[] {
    return [...this.#keys.values()];
  }

  replace(keys: ReadonlyMap<string, KeyEntry>): void {
    this.#keys = keys;
  }

  /** @param nowMs milliseconds since the epoch */
  check(text: string, nowMs: number): KeyCheck {
    const id = idOf(text);
    const key = id === undefined ? undefined : this.#keys.get(id);
    const fits = matches(text, key?.hash ?? NOBODYS_HASH);
    if (key === undefined || !fits) return { kind: 'unknown' };
    return nowMs >= key.expiresAtMs ? { kind: 'expired', key } : { kind: 'known', key };
  }
}
