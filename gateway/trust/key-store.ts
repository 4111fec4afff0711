import type { Problem } from '../../documents/problem.ts';
import type { NewKey } from './api-key.ts';
import type { KeyRing } from './key-ring.ts';
import type { Priority } from './priority.ts';
import type { Scope } from './scopes.ts';

/** What a new key may do. */
export interface Grant {
  readonly name: string;
  readonly scopes: readonly Scope[];
  /** Empty: all. */
  readonly models: readonly string[];
  /** As `100/s`. */
  readonly rate: string | undefined;
  readonly concurrency: number | undefined;
  readonly daily: number | undefined;
  readonly priority: Priority | undefined;
  /** An ISO date; undefined: never. */
  readonly expires: string | undefined;
}

/** An edit of the keys that are kept, before it is written. */
export interface KeyEdits {
  add(key: NewKey, grant: Grant): void;
  /**
   * Gives the same grant to a second key, and an end to the first.
   *
   * @param oldExpires when the first one ends at the latest, an ISO time
   * @throws UnknownKey
   */
  rotate(id: string, key: NewKey, oldExpires: string): void;
  /** @throws UnknownKey */
  remove(id: string): void;
}

/** There is no key of that id. */
export class UnknownKey extends Error {
  constructor(id: string, where: string, known: readonly string[]) {
    super(`${where} has no key ${id}; it has ${known.join(', ') || 'none'}`);
    this.name = 'UnknownKey';
  }
}

/** What a look at the place where keys are kept brought. */
export type KeysLook =
  | { readonly kind: 'same' }
  | { readonly kind: 'changed'; readonly count: number }
  /** The last good keys stay in force. */
  | { readonly kind: 'refused'; readonly problems: readonly Problem[] };

/** The keys in force, and the place that they are kept in, which is followed and changed. */
export interface KeyStore {
  readonly ring: KeyRing;
  /** The place, for people. */
  readonly place: string;
  /** Takes up what changed; never rejects. */
  refresh(): Promise<KeysLook>;
  /**
   * Changes the keys, all of the edit or nothing; when it resolves they are kept, and in force in this process.
   *
   * @throws UnknownKey, InvalidDocuments, StoreUnavailable, Error where the place can't be written
   */
  edit(change: (edits: KeyEdits) => void): Promise<void>;
}
