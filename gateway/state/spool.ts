import { createReadStream } from 'node:fs';
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import type { SpoolPlace } from './spool-place.ts';

/** What is kept at the most; an entry more is refused. */
const MAX_SPOOL_BYTES = 256 * 1024 ** 2;

/** Entries that are delivered in one call, and a part of what is read at once more. */
const DELIVERED_AT_ONCE = 1000;

/**
 * Keeps what is for the state store on disk while it is away. A line is on the disk (fsync) before its entry is acknowledged. Delivery
 * is at least once: a file goes when all of it was taken, so whoever takes it has to know what it had before.
 */
export class Spool<Entry> {
  readonly #place: SpoolPlace;
  readonly #files: SpoolFiles;
  #handle: FileHandle | undefined;
  #turn: Promise<unknown> = Promise.resolve();
  #delivery: Promise<unknown> = Promise.resolve();
  /** Entries that wait on the disk. */
  #entries = 0;
  #bytes = 0;

  /** @param name what it keeps, which its files are called after: no other spool of a place has the same */
  constructor(place: SpoolPlace, name: string) {
    this.#place = place;
    this.#files = new SpoolFiles(name);
  }

  /** Entries that wait on the disk. */
  get size(): number {
    return this.#entries;
  }

  /**
   * Finds what earlier processes left; a line that one left half-written must not be written on.
   *
   * @throws Error where there is no place to write to; whatever is appended tries again
   */
  open(): Promise<void> {
    return this.#inTurn(async () => {
      await this.#take();
      await this.#adopt();
    });
  }

  /** Takes over what processes left in other places that have died since, and that nobody started again. */
  adopt(): Promise<void> {
    return this.#inTurn(() => this.#adopt());
  }

  /** @throws Error of the file system, or because as much is kept as may be; then none of them is kept */
  append(entries: readonly Entry[]): Promise<void> {
    return this.#inTurn(() => this.#append(entries));
  }

  async #append(entries: readonly Entry[]): Promise<void> {
    const text = entries.map((entry) => `${JSON.stringify(entry)}\n`).join('');
    const bytes = Buffer.byteLength(text);
    if (this.#bytes + bytes > MAX_SPOOL_BYTES)
      throw new Error(
        `${MAX_SPOOL_BYTES} bytes of ${this.#files.name} wait in ${this.#place.folder ?? 'the spool'}, as many as may`,
      );
    const handle = (this.#handle ??= await this.#create());
    const { size } = await handle.stat();
    try {
      await handle.appendFile(text);
      await handle.sync();
    } catch (error) {
      // A disk that fills up takes a part of it: what is acknowledged next must not be written onto half a line.
      const { folder } = this.#place;
      await handle.truncate(size).catch(() => (folder === undefined ? undefined : this.#setAside(folder)));
      throw error;
    }
    this.#entries += entries.length;
    this.#bytes += bytes;
  }

  /**
   * Hands what is kept when it begins to the store, oldest first. Those that are asked for at once are made one after the other: two would read the same
   * files, and the slower would remove what came under their names since.
   *
   * @param deliver throws where the store is away: what it didn't take stays
   * @returns lines that could not be read: the end of a file whose process died while it wrote, never acknowledged
   */
  deliver(deliver: (entries: readonly Entry[]) => Promise<unknown>): Promise<number> {
    const delivery = this.#delivery.then(() => this.#deliver(deliver));
    this.#delivery = delivery.catch(() => undefined);
    return delivery;
  }

  async #deliver(deliver: (entries: readonly Entry[]) => Promise<unknown>): Promise<number> {
    const { folder } = this.#place;
    if (folder === undefined) return 0;
    // In one turn: the file that grows from now on must not be among those that are read and removed.
    const files = await this.#inTurn(async () => {
      await this.#setAside(folder);
      return this.#files.in(folder);
    });
    let unreadable = 0;
    for (const file of files) {
      const path = join(folder, file);
      let lines = 0;
      for await (const some of linesOf(path)) {
        lines += some.length;
        const entries = some.flatMap((line) => (parseLine(line) as Entry | undefined) ?? []);
        unreadable += some.length - entries.length;
        if (entries.length > 0) await deliver(entries);
      }
      const { size } = await stat(path);
      await rm(path);
      this.#entries = Math.max(0, this.#entries - lines);
      this.#bytes -= size;
    }
    return unreadable;
  }

  /** What is on the disk stays there for the next process. */
  async close(): Promise<void> {
    await this.#inTurn(() => this.#end());
  }

  /** The current file is not closed while it is written. */
  #inTurn<Value>(work: () => Promise<Value>): Promise<Value> {
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
    const folder = this.#place.folder ?? (await this.#take());
    await mkdir(folder, { recursive: true });
    return open(join(folder, this.#files.current), 'a');
  }

  /** Holds a place, and counts what is there. */
  async #take(): Promise<string> {
    const folder = await this.#place.hold();
    await this.#setAside(folder);
    for (const file of await this.#files.in(folder)) await this.#count(join(folder, file));
    return folder;
  }

  async #adopt(): Promise<void> {
    const { folder } = this.#place;
    if (folder === undefined) return;
    for (const other of await this.#place.others()) {
      if ((await this.#files.in(other)).length === 0) continue;
      await this.#place.whileFree(other, async () => {
        for (const file of await this.#files.in(other)) {
          const path = await this.#files.next(folder);
          await rename(join(other, file), path);
          await this.#count(path);
        }
      });
    }
  }

  async #count(path: string): Promise<void> {
    for await (const some of linesOf(path)) this.#entries += some.length;
    this.#bytes += (await stat(path)).size;
  }

  /** What comes from now on goes to a new file. */
  async #setAside(folder: string): Promise<void> {
    await this.#end();
    if ((await this.#files.in(folder)).includes(this.#files.current))
      await rename(join(folder, this.#files.current), await this.#files.next(folder));
  }
}

/** The lines of a file that are not empty, some at a time: a file may be as large as all that is kept. */
async function* linesOf(path: string): AsyncGenerator<readonly string[]> {
  let lines: string[] = [];
  let rest = '';
  for await (const chunk of createReadStream(path, 'utf8') as AsyncIterable<string>) {
    const parts = `${rest}${chunk}`.split('\n');
    rest = parts.pop() ?? '';
    for (const line of parts) if (line !== '') lines.push(line);
    if (lines.length < DELIVERED_AT_ONCE) continue;
    yield lines;
    lines = [];
  }
  if (rest !== '') lines.push(rest);
  if (lines.length > 0) yield lines;
}

/** A line that this class wrote, or the torn end of one. */
function parseLine(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

/** The files of a spool in its folder: the one that grows, and those that are to be delivered, which have a number before the end. */
class SpoolFiles {
  readonly name: string;
  readonly current: string;
  readonly #waiting: RegExp;

  constructor(name: string) {
    this.name = name;
    this.current = `${name}.jsonl`;
    this.#waiting = new RegExp(`^${name}\\.([0-9]+)\\.jsonl$`);
  }

  /** In the order of their age: the one that grows is the youngest. */
  async in(folder: string): Promise<readonly string[]> {
    const names = await readdir(folder).catch(() => []);
    return names
      .filter((name) => name === this.current || this.#waiting.test(name))
      .sort((a, b) => this.#numberOf(a) - this.#numberOf(b));
  }

  /** A path that no file that waits has. */
  async next(folder: string): Promise<string> {
    const waiting = (await this.in(folder)).filter((file) => file !== this.current);
    const number = Math.max(0, ...waiting.map((file) => this.#numberOf(file))) + 1;
    return join(folder, `${this.name}.${number}.jsonl`);
  }

  #numberOf(file: string): number {
    const number = this.#waiting.exec(file)?.[1];
    return number === undefined ? Number.MAX_SAFE_INTEGER : Number(number);
  }
}
