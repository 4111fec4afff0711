import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isSameState, readFileState, unreadable } from '../../documents/file-state.ts';
import type { FileState } from '../../documents/file-state.ts';
import type { Problem } from '../../documents/problem.ts';

/**
 * A file that changed this short before it was read is read again at the next look: file systems tell times in ticks, and an edit within the
 * same tick would not show.
 */
const FRESH_MS = 2000;

/** A file as it was read. */
interface ReadFile {
  readonly state: FileState;
  /** What tells that it is the same file, unchanged; undefined where that can't be told, or was too fresh to tell. */
  readonly mark: string | undefined;
}

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
  readonly #nowMs: () => number;
  #seen: ReadonlyMap<string, FileState> = new Map();
  #settled: ReadonlyMap<string, FileState> = new Map();
  /** What the look before read, so that a file that nobody touched need not be. */
  #read: ReadonlyMap<string, ReadFile> = new Map();

  /** @param nowMs the clock of the file system, in milliseconds since 1970 */
  constructor(path: string, nowMs: () => number = Date.now) {
    this.#path = path;
    this.#nowMs = nowMs;
  }

  /** The first look: what is there counts at once. */
  async open(): Promise<Look> {
    const look = await this.#readAll();
    if (look.problem === undefined) {
      this.#seen = look.files;
      this.#settled = look.files;
    }
    return look;
  }

  /** In place of the first look: goes on from what somebody else saw last, so that what was changed since is an edit. */
  resume(texts: ReadonlyMap<string, string>): void {
    this.#seen = new Map([...texts].map(([file, text]) => [file, { kind: 'text', text }]));
    this.#settled = this.#seen;
  }

  async look(): Promise<Look> {
    const { files, problem } = await this.#readAll();
    if (problem !== undefined) return { files: this.#settled, problem };
    const settled = new Map<string, FileState>();
    for (const file of [...new Set([...files.keys(), ...this.#settled.keys()])].sort()) {
      const isStill = isSameState(files.get(file), this.#seen.get(file));
      const state = isStill ? files.get(file) : this.#settled.get(file);
      if (state !== undefined) settled.set(file, state);
    }
    this.#seen = files;
    this.#settled = settled;
    return { files: settled, problem: undefined };
  }

  async #readAll(): Promise<Look> {
    let names: readonly string[];
    try {
      names = await readdir(this.#path);
    } catch (error) {
      return { files: new Map(), problem: unreadable(this.#path, error).problem };
    }
    const states = names
      .filter((name) => /^[^.].*\.ya?ml$/.test(name))
      .sort()
      .map(async (name) => {
        const file = join(this.#path, name);
        return [file, await readAgain(file, this.#read.get(file), this.#nowMs())] as const;
      });
    this.#read = new Map(await Promise.all(states));
    return { files: new Map([...this.#read].map(([file, { state }]) => [file, state])), problem: undefined };
  }
}

async function readAgain(file: string, before: ReadFile | undefined, nowMs: number): Promise<ReadFile> {
  try {
    const mark = await markOf(file, nowMs);
    if (mark !== undefined && mark === before?.mark) return before;
    const state = await readFileState(file);
    return { state, mark: state.kind === 'text' ? mark : undefined };
  } catch (error) {
    return { state: unreadable(file, error), mark: undefined };
  }
}

/** Taken before the file is read, so that what is written meanwhile gives it another one. */
async function markOf(file: string, nowMs: number): Promise<string | undefined> {
  const stats = await stat(file, { bigint: true });
  // A named pipe would be waited for without an end.
  if (!stats.isFile()) throw new Error('it is not a file');
  const { dev, ino, size, mtimeNs, ctimeNs, ctimeMs } = stats;
  const isFresh = nowMs - Number(ctimeMs) < FRESH_MS;
  return isFresh ? undefined : [dev, ino, size, mtimeNs, ctimeNs].join(' ');
}
