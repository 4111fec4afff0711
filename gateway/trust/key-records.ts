import type { Static } from 'typebox';
import type { NewKey } from './api-key.ts';
import { UnknownKey } from './key-store.ts';
import type { Grant, KeyEdits } from './key-store.ts';
import type { KeysSchema } from './keys-file.ts';

type KeyRecord = Static<typeof KeysSchema>['keys'][number];

/** Keys as a list of plain records, edited. */
export class KeyRecords implements KeyEdits {
  readonly #place: string;
  #records: readonly KeyRecord[];

  /** @param place how messages name it */
  constructor(records: readonly KeyRecord[], place: string) {
    this.#records = records;
    this.#place = place;
  }

  get records(): readonly KeyRecord[] {
    return this.#records;
  }

  add({ id, hash }: NewKey, grant: Grant): void {
    this.#records = [...this.#records, recordOf({ id, hash }, grant)];
  }

  remove(id: string): void {
    const gone = this.#find(id);
    this.#records = this.#records.filter((record) => record !== gone);
  }

  rotate(id: string, key: NewKey, oldExpires: string): void {
    const old = this.#find(id);
    const { expires } = old;
    const ends =
      expires !== undefined && Date.parse(expires) <= Date.parse(oldExpires) ? expires : oldExpires;
    this.#records = this.#records.map((record) => (record === old ? { ...old, expires: ends } : record));
    this.#records = [...this.#records, { ...old, id: key.id, hash: key.hash }];
  }

  #find(id: string): KeyRecord {
    const found = this.#records.find((record) => record.id === id);
    if (found !== undefined) return found;
    throw new UnknownKey(
      id,
      this.#place,
      this.#records.map((record) => record.id),
    );
  }
}

/** A key as it is kept; what the grant leaves out isn't there. */
export function recordOf({ id, hash }: Pick<NewKey, 'id' | 'hash'>, grant: Grant): KeyRecord {
  const { name, scopes, models, rate, concurrency, daily, priority, expires } = grant;
  return {
    id,
    hash,
    name,
    scopes: [...scopes],
    ...(models.length > 0 && { models: [...models] }),
    ...(rate !== undefined && { rate }),
    ...(concurrency !== undefined && { concurrency }),
    ...(daily !== undefined && { daily }),
    ...(priority !== undefined && { priority }),
    ...(expires !== undefined && { expires }),
  };
}
