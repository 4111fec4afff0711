import { open, rename, rm, stat } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { linkedFile } from '../../documents/linked-file.ts';
import type { LineTarget } from './line-sink.ts';

export interface RotatingFileOptions {
  /** Absolute path; older files have `.1`, `.2`… after it, the oldest the highest. */
  readonly path: string;
  /** A file that would grow beyond that is put aside, and a new one begun. */
  readonly maxBytes: number;
  /** Files that are kept, the current one included; >= 1. */
  readonly maxFiles: number;
}

/** A file of lines that is put aside when it is full, beside the file that links lead to. Lines are never cut in two. */
export class RotatingFile implements LineTarget {
  readonly name = 'file';
  readonly #options: RotatingFileOptions;
  #handle: FileHandle | undefined;
  #bytes = 0;

  constructor(options: RotatingFileOptions) {
    this.#options = options;
  }

  /** @throws Error of the file system */
  async write(lines: readonly string[]): Promise<void> {
    if (lines.length === 0) return;
    // What is there from before counts too.
    this.#handle ??= await this.#open();
    const text = `${lines.join('\n')}\n`;
    const bytes = Buffer.byteLength(text);
    if (this.#bytes + bytes <= this.#options.maxBytes) await this.#append(text, bytes);
    else await this.#appendInParts(lines);
  }

  /** Finds the line that the next file begins with. */
  async #appendInParts(lines: readonly string[]): Promise<void> {
    let part = '';
    let partBytes = 0;
    for (const line of lines) {
      const bytes = Buffer.byteLength(line) + 1;
      const filled = this.#bytes + partBytes;
      if (filled > 0 && filled + bytes > this.#options.maxBytes) {
        await this.#append(part, partBytes);
        await this.#rotate();
        [part, partBytes] = ['', 0];
      }
      part += `${line}\n`;
      partBytes += bytes;
    }
    await this.#append(part, partBytes);
  }

  async close(): Promise<void> {
    const handle = this.#handle;
    this.#handle = undefined;
    await handle?.close();
  }

  /** @param text whole lines, each with its line feed */
  async #append(text: string, bytes: number): Promise<void> {
    if (bytes === 0) return;
    const handle = (this.#handle ??= await this.#open());
    try {
      await handle.appendFile(text);
    } catch (error) {
      // A disk that fills up takes a part of it, and the next line would be written onto half of another.
      await handle.truncate(this.#bytes).catch(() => this.close());
      throw error;
    }
    this.#bytes += bytes;
  }

  async #open(): Promise<FileHandle> {
    const handle = await open(this.#options.path, 'a');
    this.#bytes = (await handle.stat()).size;
    return handle;
  }

  async #rotate(): Promise<void> {
    const { maxFiles } = this.#options;
    const path = await linkedFile(this.#options.path);
    await this.close();
    const nameOf = (age: number): string => (age === 0 ? path : `${path}.${age}`);
    await rm(nameOf(maxFiles - 1), { force: true });
    for (let age = maxFiles - 2; age >= 0; age--) {
      const isThere = await stat(nameOf(age)).then(
        () => true,
        () => false,
      );
      if (isThere) await rename(nameOf(age), nameOf(age + 1));
    }
    this.#bytes = 0;
  }
}
