import { readFile } from 'node:fs/promises';
import { InvalidDocuments, fileProblem } from '../../documents/problem.ts';
import type { Problem } from '../../documents/problem.ts';
import { parseYaml } from '../../documents/yaml-document.ts';
import { KeyRing } from './key-ring.ts';
import { readKeys } from './keys-file.ts';

/** What a look at the file brought. */
export type KeysLook =
  | { readonly kind: 'same' }
  | { readonly kind: 'changed'; readonly count: number }
  /** The last good keys stay in force. */
  | { readonly kind: 'refused'; readonly problems: readonly Problem[] };

/** The keys of a file, followed while the gateway runs. An edit counts when two looks in a row saw the same. */
export class WatchedKeys {
  readonly ring: KeyRing;
  readonly file: string;
  #seen: string;
  /** The text that was last taken or refused. */
  #settled: string;

  /** @throws InvalidDocuments */
  static async open(file: string): Promise<WatchedKeys> {
    const text = await read(file);
    return new WatchedKeys(file, text, new KeyRing(readKeys(parseYaml(text, file))));
  }

  private constructor(file: string, text: string, ring: KeyRing) {
    this.file = file;
    this.ring = ring;
    this.#seen = text;
    this.#settled = text;
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
      return { kind: 'changed', count: keys.size };
    } catch (error) {
      if (!(error instanceof InvalidDocuments)) throw error;
      return { kind: 'refused', problems: error.problems };
    }
  }
}

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
