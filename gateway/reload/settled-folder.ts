import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileProblem } from '../../documents/problem.ts';
import type { Problem } from '../../documents/problem.ts';

/** What a file holds, or why it can't be read. */
export type FileState =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'unreadable'; readonly problem: Problem };

/** What a look at a folder saw. */
export interface Look {
  /** By path, in the order of their names. */
  readonly files: ReadonlyMap<string, FileState>;
  /** Why the folder itself can't be read; the files are then those of the look before. */
  readonly problem: Problem | undefined;
}

/**
 * The YAML files of a folder, as they are when nobody is writing them: a file that came, changed or went counts when two
 * looks in a row saw the same. Hidden files are passed over, links are followed.
 */
export class SettledFolder {
  readonly #path: string;
  #seen: ReadonlyMap<string, FileState> = new Map();
  #settled: ReadonlyMap<string, FileState> = new Map();

  constructor(path: string) {
    this.#path = path;
  }

  /** The first look: what is there counts at once. */
  async open(): Promise<Look> {
    const look = await this.#read();
    if (look.problem === undefined) {
      this.#seen = look.files;
      this.#settled = look.files;
    }
    return look;
  }

  async look(): Promise<Look> {
    const { files, problem } = await this.#read();
    if (problem !== undefined) return { files: this.#settled, problem };
    const settled = new Map<string, FileState>();
    for (const file of [...new Set([...files.keys(), ...this.#settled.keys()])].sort()) {
      const isStill = same(files.get(file), this.#seen.get(file));
      const state = isStill ? files.get(file) : this.#settled.get(file);
      if (state !== undefined) settled.set(file, state);
    }
    this.#seen = files;
    this.#settled = settled;
    return { files: settled, problem: undefined };
  }

  async #read(): Promise<Look> {
    let names: readonly string[];
    try {
      names = await readdir(this.#path);
    } catch (error) {
      return { files: new Map(), problem: fileProblem(this.#path, `can't be read: ${reasonOf(error)}`) };
    }
    const states = names
      .filter((name) => /^[^.].*\.ya?ml$/.test(name))
      .sort()
      .map(async (name) => {
        const file = join(this.#path, name);
        return [file, await readState(file)] as const;
      });
    return { files: new Map(await Promise.all(states)), problem: undefined };
  }
}

async function readState(file: string): Promise<FileState> {
  try {
    return { kind: 'text', text: await readFile(file, 'utf8') };
  } catch (error) {
    return { kind: 'unreadable', problem: fileProblem(file, `can't be read: ${reasonOf(error)}`) };
  }
}

function same(a: FileState | undefined, b: FileState | undefined): boolean {
  if (a?.kind === 'text' && b?.kind === 'text') return a.text === b.text;
  return a?.kind === b?.kind;
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
