import { access, readFile } from 'node:fs/promises';
import { InvalidDocuments, fileProblem } from '../../documents/problem.ts';
import { parseYaml } from '../../documents/yaml-document.ts';
import { KeyRing } from './key-ring.ts';
import { KeysEditor } from './keys-editor.ts';
import { readKeys } from './keys-file.ts';
import type { KeyEdits, KeyStore, KeysLook } from './key-store.ts';

/** The keys of a file, followed while the gateway runs. An edit counts when two looks in a row saw the same. */
export class WatchedKeys implements KeyStore {
  readonly ring: KeyRing;
  readonly file: string;
  readonly #onGood: (text: string) => void;
  #seen: string;
  /** The text that was last taken or refused. */
  #settled: string;

  /** Edits of this process, one after the other. */
  #editing: Promise<void> = Promise.resolve();

  /**
   * @param lastGood what is in force where the file is refused; left out: then nothing is
   * @param onGood told of a text whenever it is in force
   * @throws InvalidDocuments
   */
  static async open(file: string, lastGood?: string, onGood?: (text: string) => void): Promise<WatchedKeys> {
    try {
      return WatchedKeys.#of(file, await read(file), onGood);
    } catch (error) {
      if (lastGood === undefined || !(error instanceof InvalidDocuments)) throw error;
      return WatchedKeys.#of(file, lastGood, onGood);
    }
  }

  /**
   * Opens a file that need not be there yet, to edit it.
   *
   * @throws InvalidDocuments
   */
  static async openToEdit(file: string): Promise<WatchedKeys> {
    return WatchedKeys.#of(file, (await exists(file)) ? await read(file) : NO_KEYS);
  }

  static #of(file: string, text: string, onGood?: (text: string) => void): WatchedKeys {
    return new WatchedKeys(file, text, new KeyRing(readKeys(parseYaml(text, file))), onGood);
  }

  private constructor(
    file: string,
    text: string,
    ring: KeyRing,
    onGood: (text: string) => void = () => undefined,
  ) {
    this.file = file;
    this.ring = ring;
    this.#onGood = onGood;
    this.#seen = text;
    this.#settled = text;
    onGood(text);
  }

  get place(): string {
    return this.file;
  }

  async edit(change: (edits: KeyEdits) => void): Promise<void> {
    const editing = this.#editing.then(async () => {
      const editor = await KeysEditor.open(this.file);
      change(editor);
      const text = await editor.save();
      this.ring.replace(readKeys(parseYaml(text, this.file)));
      this.#seen = text;
      this.#settled = text;
      this.#onGood(text);
    });
    this.#editing = editing.catch(() => undefined);
    return editing;
  }

  async refresh(): Promise<KeysLook> {
    // A file that is gone is an edit like any other: it settles, is refused once, and the last good keys stay.
    const text = await read(this.file).catch(() => GONE);
    const isStill = text === this.#seen;
    this.#seen = text;
    if (!isStill || text === this.#settled) return { kind: 'same' };
    this.#settled = text;
    if (text === GONE) return { kind: 'refused', problems: [fileProblem(this.file, "can't be read")] };
    try {
      const keys = readKeys(parseYaml(text, this.file));
      this.ring.replace(keys);
      this.#onGood(text);
      return { kind: 'changed', count: keys.size };
    } catch (error) {
      if (!(error instanceof InvalidDocuments)) throw error;
      return { kind: 'refused', problems: error.problems };
    }
  }
}

const NO_KEYS = 'keys: []\n';

/** No file has this text. */
const GONE = '\0';

async function read(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new InvalidDocuments([fileProblem(file, `can't be read: ${reason}`)]);
  }
}

async function exists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}
