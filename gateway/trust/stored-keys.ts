import { InvalidDocuments, fileProblem } from '../../documents/problem.ts';
import { parseYaml } from '../../documents/yaml-document.ts';
import { checkDocument } from '../../documents/schema-check.ts';
import { StoreUnavailable } from '../../experiments/stores/state-store.ts';
import type { Documents, Versioned } from '../../experiments/stores/state-store.ts';
import { KeyRecords } from './key-records.ts';
import { KeyRing } from './key-ring.ts';
import type { KeyEdits, KeyStore, KeysLook } from './key-store.ts';
import { KeysSchema, readKeys } from './keys-file.ts';

const DOCUMENT = 'keys';

const PLACE = 'the state store';

/** Edits that another replica's came before are made again so many times. */
const MOST_TRIES = 10;

const SAME: KeysLook = { kind: 'same' };

/** The keys that all replicas share, in the state store. */
export class StoredKeys implements KeyStore {
  readonly ring: KeyRing;
  readonly place = PLACE;
  readonly #store: Documents;
  #version: number;
  /** Why the last look brought nothing; told once. */
  #fault = '';

  /**
   * @throws StoreUnavailable where the store can't be asked: a gateway that doesn't know its keys lets nobody in
   * @throws InvalidDocuments where what it has are no keys
   */
  static async open(store: Documents): Promise<StoredKeys> {
    const found = await store.readDocument(DOCUMENT);
    return new StoredKeys(store, found);
  }

  private constructor(store: Documents, found: Versioned | undefined) {
    this.#store = store;
    this.#version = found?.version ?? 0;
    this.ring = new KeyRing(keysOf(found));
  }

  /**
   * Has a listener told, within a second, when any replica has changed the keys.
   *
   * @returns ends that
   */
  watch(onChange: () => void): () => void {
    return this.#store.watchDocument(DOCUMENT, onChange);
  }

  async refresh(): Promise<KeysLook> {
    try {
      const found = await this.#store.readDocument(DOCUMENT);
      if (found === undefined && this.#version > 0) {
        return this.#once('has no keys any more, restore it from a backup; the last good keys stay');
      }
      if (found === undefined || found.version === this.#version) {
        this.#fault = '';
        return SAME;
      }
      const keys = keysOf(found);
      this.#fault = '';
      this.#version = found.version;
      this.ring.replace(keys);
      return { kind: 'changed', count: keys.size };
    } catch (error) {
      if (error instanceof InvalidDocuments) return this.#once(error.message);
      if (!(error instanceof StoreUnavailable)) throw error;
      return this.#once(`can't be asked for the keys: ${error.message}`);
    }
  }

  async edit(change: (edits: KeyEdits) => void): Promise<void> {
    for (let tries = 0; tries < MOST_TRIES; tries++) {
      const found = await this.#store.readDocument(DOCUMENT);
      const records = new KeyRecords(recordsOf(found), PLACE);
      change(records);
      const value = { keys: records.records };
      const keys = keysOf({ version: 0, value });
      const version = await this.#store.writeDocument(DOCUMENT, value, found?.version ?? 0);
      if (version === undefined) continue;
      // A look that came in between may know a newer one.
      if (version > this.#version) {
        this.#version = version;
        this.ring.replace(keys);
      }
      return;
    }
    throw new StoreUnavailable('the keys are being changed by others; try again');
  }

  #once(message: string): KeysLook {
    if (message === this.#fault) return SAME;
    this.#fault = message;
    return { kind: 'refused', problems: [fileProblem(PLACE, message)] };
  }
}

function documentOf(found: Versioned | undefined): ReturnType<typeof parseYaml> {
  return parseYaml(JSON.stringify(found?.value ?? { keys: [] }), `the keys in ${PLACE}`);
}

function recordsOf(found: Versioned | undefined): KeyRecords['records'] {
  return checkDocument(documentOf(found), KeysSchema).keys;
}

function keysOf(found: Versioned | undefined): ReturnType<typeof readKeys> {
  return readKeys(documentOf(found));
}
