import { createKey } from './api-key.ts';
import type { KeyStore, Grant } from './key-store.ts';
import type { KeyEntry } from './keys-file.ts';
import { formatRate } from '../limits/rate.ts';

/** A key as it is shown: all but what it opens with. */
export interface ShownKey {
  readonly id: string;
  readonly name: string;
  readonly scopes: readonly string[];
  /** Null: all. */
  readonly models: readonly string[] | null;
  readonly rate: string | null;
  readonly concurrency: number | null;
  readonly daily: number | null;
  readonly priority: string;
  /** An ISO time; null: never. */
  readonly expires: string | null;
  readonly expired: boolean;
}

/** A key as it is shown once, when it is made. */
export interface MadeKey {
  readonly id: string;
  /** The key itself. */
  readonly key: string;
}

/** Where keys are made, shown, rotated and revoked, wherever they are kept. */
export class KeyDesk {
  readonly #store: KeyStore;
  readonly #nowMs: () => number;

  constructor(store: KeyStore, nowMs: () => number = Date.now) {
    this.#store = store;
    this.#nowMs = nowMs;
  }

  /** The place where they are kept, for people. */
  get place(): string {
    return this.#store.place;
  }

  list(): readonly ShownKey[] {
    const nowMs = this.#nowMs();
    return this.#store.ring.keys.map((key) => shown(key, nowMs));
  }

  async create(grant: Grant): Promise<MadeKey> {
    const key = createKey();
    await this.#store.edit((edits) => {
      edits.add(key, grant);
    });
    return { id: key.id, key: key.text };
  }

  /**
   * @param keepMs how long the first key still opens
   * @throws UnknownKey
   */
  async rotate(
    id: string,
    keepMs: number,
  ): Promise<MadeKey & { readonly replaces: string; readonly until: string }> {
    const key = createKey();
    const until = new Date(this.#nowMs() + keepMs).toISOString();
    await this.#store.edit((edits) => {
      edits.rotate(id, key, until);
    });
    return { id: key.id, key: key.text, replaces: id, until };
  }

  /** @throws UnknownKey */
  async revoke(id: string): Promise<void> {
    await this.#store.edit((edits) => {
      edits.remove(id);
    });
  }
}

function shown(
  { id, name, scopes, models, limits, priority, expiresAtMs }: KeyEntry,
  nowMs: number,
): ShownKey {
  return {
    id,
    name,
    scopes: [...scopes],
    models: models === undefined ? null : [...models],
    rate: limits.rate === undefined ? null : formatRate(limits.rate),
    concurrency: limits.concurrency ?? null,
    daily: limits.daily ?? null,
    priority,
    expires: expiresAtMs === Infinity ? null : new Date(expiresAtMs).toISOString(),
    expired: expiresAtMs <= nowMs,
  };
}
