import { open, readFile, rename, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { YAMLMap, isMap, isSeq, parseDocument } from 'yaml';
import type { Document, YAMLSeq } from 'yaml';
import { linkedFile } from '../../documents/linked-file.ts';
import { parseYaml } from '../../documents/yaml-document.ts';
import type { NewKey } from './api-key.ts';
import { readKeys } from './keys-file.ts';
import { recordOf } from './key-records.ts';
import { UnknownKey } from './key-store.ts';
import type { Grant, KeyEdits } from './key-store.ts';

/**
 * Edits a `keys.yaml`: comments and order stay, the file is replaced as a whole (the one that links lead to, where the path is a link),
 * and an edit that would not read back is not written.
 */
export class KeysEditor implements KeyEdits {
  readonly #file: string;
  readonly #document: Document;
  readonly #mode: number;

  /**
   * @throws InvalidDocuments where the file can't be read as keys
   * @returns an editor of a file that need not be there yet
   */
  static async open(file: string): Promise<KeysEditor> {
    let text = 'keys: []\n';
    let mode = 0o600;
    try {
      text = await readFile(file, 'utf8');
      ({ mode } = await stat(file));
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
    }
    readKeys(parseYaml(text, file));
    return new KeysEditor(file, parseDocument(text), mode & 0o777);
  }

  private constructor(file: string, document: Document, mode: number) {
    this.#file = file;
    this.#document = document;
    this.#mode = mode;
  }

  add(key: NewKey, grant: Grant): void {
    const list = this.#list();
    list.flow = false;
    list.add(this.#document.createNode(recordOf(key, grant)));
  }

  /** @throws UnknownKey */
  remove(id: string): void {
    const list = this.#list();
    list.items.splice(list.items.indexOf(this.#entry(id)), 1);
  }

  /**
   * Gives the same grant to a second key, and an end to the first.
   *
   * @param oldExpires when the first one ends at the latest, an ISO time
   * @throws UnknownKey
   */
  rotate(id: string, { id: newId, hash }: NewKey, oldExpires: string): void {
    const old = this.#entry(id);
    const fresh = new YAMLMap(this.#document.schema);
    for (const pair of old.items) fresh.add(pair.clone());
    fresh.set('id', newId);
    fresh.set('hash', hash);
    const before = old.get('expires');
    if (typeof before !== 'string' || Date.parse(before) > Date.parse(oldExpires))
      old.set('expires', oldExpires);
    this.#list().add(fresh);
  }

  /**
   * @returns the text that was written
   * @throws InvalidDocuments where the edit would not read back; Error where the file can't be written
   */
  async save(): Promise<string> {
    const text = this.#document.toString({ lineWidth: 0 });
    readKeys(parseYaml(text, this.#file));
    const file = await linkedFile(this.#file);
    const temporary = join(dirname(file), `.${process.pid}-${Date.now()}.keys.tmp`);
    const handle = await open(temporary, 'wx', this.#mode);
    try {
      await handle.writeFile(text);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, file);
    return text;
  }

  #list(): YAMLSeq {
    const list = this.#document.get('keys');
    if (!isSeq(list)) throw new Error(`${this.#file}: keys is no list`);
    return list;
  }

  #entry(id: string): YAMLMap {
    const ids: string[] = [];
    for (const item of this.#list().items) {
      if (!isMap(item)) continue;
      if (item.get('id') === id) return item;
      ids.push(String(item.get('id')));
    }
    throw new UnknownKey(id, this.#file, ids);
  }
}
