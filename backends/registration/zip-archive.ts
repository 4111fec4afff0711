import { mkdir, open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { crc32 } from 'node:zlib';
import { openPromise } from 'yauzl';
import type { Entry, ZipFile } from 'yauzl';
import { refused } from './registration-error.ts';

/** What an archive may hold: a model, its weights, and a few files beside it. */
export interface ArchiveLimits {
  readonly entries: number;
  /** Of all files together, unpacked. */
  readonly bytes: number;
  /** How many times as large as it is packed a file may become; what is small may be more. */
  readonly ratio: number;
}

/** Trained weights hardly shrink, and what unpacks to a hundred times its size is no model. */
export const ARCHIVE_LIMITS: ArchiveLimits = { entries: 1000, bytes: 8 * 1024 ** 3, ratio: 100 };

/** Up to this size a file may have any ratio. */
const RATIO_FROM_BYTES = 1024 ** 2;

/** The kind of file, in the upper half of the attributes that Unix writes. */
const KIND_MASK = 0o170000;
const REGULAR = 0o100000;
const DIRECTORY = 0o040000;

/** The files of a zip archive. Nothing of it is believed before it was checked, and nothing is unpacked that nobody asked for. */
export class ZipArchive {
  readonly #zip: ZipFile;
  readonly #entries: ReadonlyMap<string, Entry>;
  readonly #name: string;

  /**
   * @param name how messages name it
   * @throws RegistrationError `refused`
   */
  static async open(path: string, name: string, limits = ARCHIVE_LIMITS): Promise<ZipArchive> {
    const zip = await openPromise(path, { autoClose: false, strictFileNames: true }).catch(
      (cause: unknown) => {
        throw refused(`${name} is no zip archive, which is what a .mar is: ${messageOf(cause)}`, { cause });
      },
    );
    try {
      return new ZipArchive(zip, name, await readDirectory(zip, name, limits));
    } catch (cause) {
      zip.close();
      throw cause instanceof Error && cause.name === 'RegistrationError'
        ? cause
        : refused(`${name} is damaged: ${messageOf(cause)}`, { cause });
    }
  }

  private constructor(zip: ZipFile, name: string, entries: ReadonlyMap<string, Entry>) {
    this.#zip = zip;
    this.#name = name;
    this.#entries = entries;
  }

  /** The paths of its files, with `/` between their parts. */
  get files(): readonly string[] {
    return [...this.#entries.keys()];
  }

  has(path: string): boolean {
    return this.#entries.has(path);
  }

  /**
   * The text of a small file; undefined where there is none.
   *
   * @throws RegistrationError `refused`
   */
  async text(path: string, maxBytes: number): Promise<string | undefined> {
    const entry = this.#entries.get(path);
    if (entry === undefined) return undefined;
    if (entry.uncompressedSize > maxBytes)
      throw refused(
        `${path} in ${this.#name} has ${entry.uncompressedSize} bytes; at most ${maxBytes} are read`,
      );
    const chunks: Buffer[] = [];
    await this.#copy(path, entry, async (source) => {
      for await (const chunk of source) chunks.push(chunk);
    });
    try {
      return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks));
    } catch (cause) {
      throw refused(`${path} in ${this.#name} is no UTF-8 text`, { cause });
    }
  }

  /**
   * Writes a file to disk; there must be none of that name.
   *
   * @throws RegistrationError `refused`
   */
  async extract(path: string, directory: string, as = path): Promise<void> {
    const entry = this.#entries.get(path);
    if (entry === undefined) throw refused(`${this.#name} has no file ${path}`);
    const target = join(directory, as);
    await mkdir(dirname(target), { recursive: true });
    // Open before anything is read: a stream that opens its file by itself can fail when nobody listens to it any more.
    const file = await open(target, 'wx');
    try {
      await this.#copy(path, entry, (source) => file.writeFile(source));
    } finally {
      await file.close();
    }
  }

  close(): void {
    this.#zip.close();
  }

  /** Unpacks a file into something, as one pipeline: whichever part of it fails ends all of it. */
  async #copy(
    path: string,
    entry: Entry,
    into: (source: AsyncIterable<Buffer>) => Promise<void>,
  ): Promise<void> {
    try {
      await pipeline(await this.#zip.openReadStreamPromise(entry), checksum(entry.crc32), into);
    } catch (cause) {
      // What the disk says is not the archive's fault.
      if (cause instanceof Error && 'code' in cause && 'syscall' in cause) throw cause;
      throw refused(`${path} in ${this.#name} is damaged: ${messageOf(cause)}`, { cause });
    }
  }
}

async function readDirectory(
  zip: ZipFile,
  name: string,
  limits: ArchiveLimits,
): Promise<ReadonlyMap<string, Entry>> {
  if (zip.entryCount > limits.entries)
    throw refused(`${name} has ${zip.entryCount} files; at most ${limits.entries} are read`);
  const entries = new Map<string, Entry>();
  let bytes = 0;
  for await (const entry of zip.eachEntry()) {
    const { fileName: path, compressedSize, uncompressedSize } = entry;
    const shown = JSON.stringify(path.slice(0, 200));
    if (path.endsWith('/')) continue;
    requirePlainPath(path, shown, name);
    requireRegular(entry, shown, name);
    if (entries.has(path)) throw refused(`${name} has ${shown} twice`);
    bytes += uncompressedSize;
    if (bytes > limits.bytes) throw refused(`${name} has more than ${limits.bytes} bytes, unpacked`);
    if (uncompressedSize > RATIO_FROM_BYTES && uncompressedSize > compressedSize * limits.ratio) {
      throw refused(
        `${shown} in ${name} unpacks from ${compressedSize} bytes to ${uncompressedSize}, more than ${limits.ratio} times as many`,
      );
    }
    entries.set(path, entry);
  }
  refuseFilesInFiles(entries, name);
  return entries;
}

/** Folders within each other, as deep as a version's folder is looked into. */
const MAX_PARTS = 8;

/** A part of a path that every file system takes as it is. */
// eslint-disable-next-line no-control-regex -- no file system takes all of them, and no terminal shows them
const PLAIN_PART = /^(?!\.{1,2}$)[^\u0000-\u001f\u007f<>:"|?*\\/]{1,200}$/;

function requirePlainPath(path: string, shown: string, name: string): void {
  const parts = path.split('/');
  if (parts.length <= MAX_PARTS && parts.every((part) => PLAIN_PART.test(part))) return;
  throw refused(`${shown} in ${name} is no path that every file system takes; expected plain names`);
}

/** What is a file can't be a folder too. */
function refuseFilesInFiles(entries: ReadonlyMap<string, Entry>, name: string): void {
  for (const path of entries.keys()) {
    for (let slash = path.indexOf('/'); slash >= 0; slash = path.indexOf('/', slash + 1)) {
      const folder = path.slice(0, slash);
      if (entries.has(folder)) throw refused(`${JSON.stringify(folder)} in ${name} is a file and a folder`);
    }
  }
}

function requireRegular(entry: Entry, shown: string, name: string): void {
  const kind = (entry.externalFileAttributes >>> 16) & KIND_MASK;
  // What wasn't packed on Unix has none.
  if (kind !== 0 && kind !== REGULAR && kind !== DIRECTORY)
    throw refused(`${shown} in ${name} is a link or a device; expected plain files`);
  if (entry.isEncrypted()) throw refused(`${shown} in ${name} is encrypted; expected plain files`);
  if (!entry.canDecodeFileData())
    throw refused(
      `${shown} in ${name} is packed by method ${entry.compressionMethod}; expected deflate or none`,
    );
}

/** Passes bytes on, and fails at their end where they are others than were packed. */
function checksum(expected: number): Transform {
  let sum = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      sum = crc32(chunk, sum);
      done(null, chunk);
    },
    flush(done) {
      done(sum === expected ? null : new Error('its checksum is another one'));
    },
  });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
