import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import type { AuditEntry } from '../../experiments/stores/state-store.ts';
import { AT_THE_BEGINNING, cursorOf } from './audit-cursor.ts';
import type { AuditCursor } from './audit-cursor.ts';

/** What is read of a file's end to find its last entry: many times an entry's length. */
const TAIL_BYTES = 1024 ** 2;

/** Entries that are known by their names: many times what a replica brings back. */
const MAX_KNOWN = 10_000;

/** The audit log as JSON Lines, an entry a line. It only grows: nothing is put aside or deleted. */
export class AuditFile {
  readonly #path: string;
  #handle: FileHandle | undefined;
  /** Whether the file ends inside a line, which a crash or a full disk cut off. */
  #isTorn = false;
  /** The names of the last entries. */
  readonly #known = new Set<string>();

  /** @param path absolute */
  constructor(path: string) {
    this.#path = path;
  }

  /**
   * Finds how far the file goes.
   *
   * @throws Error of the file system
   */
  async cursor(): Promise<AuditCursor> {
    const handle = await this.#open();
    const { size } = await handle.stat();
    const bytes = Buffer.alloc(Math.min(size, TAIL_BYTES));
    await handle.read(bytes, 0, bytes.length, size - bytes.length);
    const lines = bytes.toString('utf8').split('\n');
    this.#isTorn = lines.at(-1) !== '' && size > 0;
    const cursors = lines.slice(0, -1).flatMap((line) => cursorIn(line) ?? []);
    for (const cursor of cursors) this.#know(cursor);
    return cursors.at(-1) ?? AT_THE_BEGINNING;
  }

  /** Whether an entry is among the file's last ones, under whatever number. */
  has(entry: AuditEntry): boolean {
    return this.#known.has(cursorOf(entry).id);
  }

  /** @throws Error of the file system; then part of it may be there */
  async append(entries: readonly AuditEntry[]): Promise<void> {
    if (entries.length === 0) return;
    const handle = await this.#open();
    const lines = entries.map(({ sequence, entry }) => JSON.stringify({ sequence, ...asObject(entry) }));
    const text = `${this.#isTorn ? '\n' : ''}${lines.join('\n')}\n`;
    this.#isTorn = true;
    await handle.appendFile(text);
    this.#isTorn = false;
    for (const entry of entries) this.#know(cursorOf(entry));
  }

  #know({ id }: AuditCursor): void {
    if (id === '') return;
    this.#known.add(id);
    for (const oldest of this.#known) {
      if (this.#known.size <= MAX_KNOWN) break;
      this.#known.delete(oldest);
    }
  }

  async close(): Promise<void> {
    const handle = this.#handle;
    this.#handle = undefined;
    await handle?.close();
  }

  async #open(): Promise<FileHandle> {
    this.#handle ??= await open(this.#path, 'a+', 0o640);
    return this.#handle;
  }
}

function cursorIn(line: string): AuditCursor | undefined {
  try {
    const entry: unknown = JSON.parse(line);
    const { sequence } = asObject(entry);
    return typeof sequence === 'number' ? cursorOf({ sequence, entry }) : undefined;
  } catch {
    return undefined;
  }
}

function asObject(entry: unknown): Readonly<Record<string, unknown>> {
  return typeof entry === 'object' && entry !== null ? { ...entry } : { entry };
}
