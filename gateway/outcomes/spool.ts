import { createReadStream } from 'node:fs';
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import type { Outcome } from '../../experiments/stores/ledger.ts';
import type { SpoolPlace } from '../state/spool-place.ts';

/** The file that grows; files that are being delivered have a number before the end. */
const CURRENT = 'outcomes.jsonl';
const WAITING = /^outcomes\.[0-9]+\.jsonl$/;

/** What is kept at the most; an outcome more is refused. */
const MAX_SPOOL_BYTES = 256 * 1024 ** 2;

/** Outcomes that are delivered in one call, and a part of what is read at once more. */
const DELIVERED_AT_ONCE = 1000;

/**
 * Keeps outcomes on disk while the state store is away. A line is on the disk (fsync) before its outcome is acknowledged. Delivery
 * is at least once: a file goes when all of it was taken, and the store knows what it had before.
 */
export class OutcomeSpool {
  readonly #place: SpoolPlace;
  #handle: FileHandle | undefined;
  #turn: Promise<void> = Promise.resolve();
  /** Outcomes that wait on the disk. */
  #outcomes = 0;
  #bytes = 0;

  constructor(place: SpoolPlace) {
    this.#place = place;
  }

  get outcomes(): number {
    return this.#outcomes;
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
  append(outcomes: readonly Outcome[]): Promise<void> {
    return this.#inTurn(() => this.#append(outcomes));
  }

  async #append(outcomes: readonly Outcome[]): Promise<void> {
    const text = outcomes.map((outcome) => `${JSON.stringify(outcome)}\n`).join('');
    const bytes = Buffer.byteLength(text);
    if (this.#bytes + bytes > MAX_SPOOL_BYTES)
      throw new Error(
        `${MAX_SPOOL_BYTES} bytes of outcomes wait in ${this.#place.folder ?? 'the spool'}, as many as may`,
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
    const { folder } = this.#place;
    if (folder === undefined) return 0;
    await this.#inTurn(() => this.#setAside(folder));
    let unreadable = 0;
    for (const file of await filesIn(folder)) {
      const path = join(folder, file);
      let lines = 0;
      for await (const some of linesOf(path)) {
        lines += some.length;
        const outcomes = some.flatMap((line) => parseLine(line) ?? []);
        unreadable += some.length - outcomes.length;
        if (outcomes.length > 0) await deliver(outcomes);
      }
      const { size } = await stat(path);
      await rm(path);
      this.#outcomes = Math.max(0, this.#outcomes - lines);
      this.#bytes -= size;
    }
    return unreadable;
  }

  async close(): Promise<void> {
    await this.#inTurn(() => this.#end());
    this.#place.release();
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
    const folder = this.#place.folder ?? (await this.#take());
    await mkdir(folder, { recursive: true });
    return open(join(folder, CURRENT), 'a');
  }

  /** Holds a place, and counts what is there. */
  async #take(): Promise<string> {
    const folder = await this.#place.hold();
    await this.#setAside(folder);
    for (const file of await filesIn(folder)) await this.#count(join(folder, file));
    return folder;
  }

  async #adopt(): Promise<void> {
    const { folder } = this.#place;
    if (folder === undefined) return;
    for (const other of await this.#place.others()) {
      if ((await filesIn(other)).length === 0) continue;
      await this.#place.whileFree(other, async () => {
        for (const file of await filesIn(other)) {
          const path = await nextFile(folder);
          await rename(join(other, file), path);
          await this.#count(path);
        }
      });
    }
  }

  async #count(path: string): Promise<void> {
    for await (const some of linesOf(path)) this.#outcomes += some.length;
    this.#bytes += (await stat(path)).size;
  }

  /** What comes from now on goes to a new file. */
  async #setAside(folder: string): Promise<void> {
    await this.#end();
    if ((await filesIn(folder)).includes(CURRENT))
      await rename(join(folder, CURRENT), await nextFile(folder));
  }
}

/** In the order of their age. */
async function filesIn(folder: string): Promise<readonly string[]> {
  const names = await readdir(folder).catch(() => []);
  return names
    .filter((name) => name === CURRENT || WAITING.test(name))
    .sort((a, b) => numberOf(a) - numberOf(b));
}

/** A name that no file that waits has. */
async function nextFile(folder: string): Promise<string> {
  const waiting = (await filesIn(folder)).filter((file) => file !== CURRENT);
  return join(folder, `outcomes.${Math.max(0, ...waiting.map(numberOf)) + 1}.jsonl`);
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
