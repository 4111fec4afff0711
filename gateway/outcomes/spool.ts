import { mkdir, open, readFile, readdir, rename, rm, stat } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import type { Outcome } from '../../experiments/stores/ledger.ts';

/** The file that grows; files that are being delivered have a number before the end. */
const CURRENT = 'outcomes.jsonl';
const WAITING = /^outcomes\.[0-9]+\.jsonl$/;

/** What is kept at the most; an outcome more is refused. */
const MAX_SPOOL_BYTES = 256 * 1024 ** 2;

/** Outcomes that are delivered in one call. */
const DELIVERED_AT_ONCE = 1000;

/**
 * Keeps outcomes on disk while the state store is away. A line is on the disk (fsync) before its outcome is acknowledged. Delivery
 * is at least once: a file goes when all of it was taken, and the store knows what it had before.
 *
 * The folder belongs to one process at a time.
 */
export class OutcomeSpool {
  readonly #folder: string;
  #handle: FileHandle | undefined;
  #turn: Promise<void> = Promise.resolve();
  /** Outcomes that wait on the disk. */
  #outcomes = 0;
  #bytes = 0;

  /** @param folder an absolute path; it is made when it is needed */
  constructor(folder: string) {
    this.#folder = folder;
  }

  get outcomes(): number {
    return this.#outcomes;
  }

  /** Finds what an earlier process left; a line that it left half-written must not be written on. */
  async open(): Promise<void> {
    await this.#setAside();
    for (const file of await this.#files()) {
      const text = await readFile(join(this.#folder, file), 'utf8');
      this.#outcomes += text.split('\n').length - 1;
      this.#bytes += Buffer.byteLength(text);
    }
  }

  /** @throws Error of the file system, or because as much is kept as may be; then none of them is kept */
  append(outcomes: readonly Outcome[]): Promise<void> {
    return this.#inTurn(() => this.#append(outcomes));
  }

  async #append(outcomes: readonly Outcome[]): Promise<void> {
    const text = outcomes.map((outcome) => `${JSON.stringify(outcome)}\n`).join('');
    const bytes = Buffer.byteLength(text);
    if (this.#bytes + bytes > MAX_SPOOL_BYTES)
      throw new Error(`${MAX_SPOOL_BYTES} bytes of outcomes wait in ${this.#folder}, as many as may`);
    const handle = (this.#handle ??= await this.#create());
    const { size } = await handle.stat();
    try {
      await handle.appendFile(text);
      await handle.sync();
    } catch (error) {
      // A disk that fills up takes a part of it: what is acknowledged next must not be written onto half a line.
      await handle.truncate(size).catch(() => this.#setAside());
      throw error;
    }
    this.#outcomes += outcomes.length;
    this.#bytes += bytes;
  }

  /**
   * Hands what is kept to the store, oldest first, until all of it is taken.
   *
   * @param deliver throws where the store is away: what it didn't take stays
   * @returns lines that could not be read: the end of a file whose process died while it wrote, never acknowledged
   */
  async deliver(deliver: (outcomes: readonly Outcome[]) => Promise<unknown>): Promise<number> {
    await this.#inTurn(() => this.#setAside());
    let unreadable = 0;
    for (const file of await this.#files()) {
      const path = join(this.#folder, file);
      const { size } = await stat(path);
      const lines = (await readFile(path, 'utf8')).split('\n').filter((line) => line !== '');
      const outcomes = lines.flatMap((line) => parseLine(line) ?? []);
      unreadable += lines.length - outcomes.length;
      for (let start = 0; start < outcomes.length; start += DELIVERED_AT_ONCE) {
        await deliver(outcomes.slice(start, start + DELIVERED_AT_ONCE));
      }
      await rm(path);
      this.#outcomes = Math.max(0, this.#outcomes - lines.length);
      this.#bytes -= size;
    }
    return unreadable;
  }

  close(): Promise<void> {
    return this.#inTurn(() => this.#end());
  }

  /** The current file is not closed while it is written. */
  #inTurn(work: () => Promise<void>): Promise<void> {
    const turn = this.#turn.then(work);
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  async #end(): Promise<void> {
    const handle = this.#handle;
    this.#handle = undefined;
    await handle?.close();
  }

  async #create(): Promise<FileHandle> {
    await mkdir(this.#folder, { recursive: true });
    return open(join(this.#folder, CURRENT), 'a');
  }

  /** What comes from now on goes to a new file. */
  async #setAside(): Promise<void> {
    await this.#end();
    const files = await this.#files();
    if (!files.includes(CURRENT)) return;
    const last = Math.max(0, ...files.filter((file) => file !== CURRENT).map(numberOf));
    await rename(join(this.#folder, CURRENT), join(this.#folder, `outcomes.${last + 1}.jsonl`));
  }

  /** In the order of their age. */
  async #files(): Promise<readonly string[]> {
    const names = await readdir(this.#folder).catch(() => []);
    return names
      .filter((name) => name === CURRENT || WAITING.test(name))
      .sort((a, b) => numberOf(a) - numberOf(b));
  }
}

/** The current file is the youngest. */
function numberOf(file: string): number {
  return file === CURRENT ? Number.MAX_SAFE_INTEGER : Number(file.split('.')[1]);
}

/** A line that this class wrote, or the torn end of one. */
function parseLine(line: string): Outcome | undefined {
  try {
    return JSON.parse(line) as Outcome;
  } catch {
    return undefined;
  }
}
