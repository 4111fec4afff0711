import { createHash } from 'node:crypto';
import { open, rm } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';

/** The second wrote values instead of what one release of Redis alone can read. */
const FORMAT = 2;

/** Written to the disk at once. */
const BLOCK_CHARACTERS = 1024 ** 2;

/** A key, or a part of a large one; parts of a key add up. */
export type BackupPart = { readonly key: string } & (
  | {
      readonly string: string;
      /** Milliseconds; below 0: it doesn't end. */
      readonly ttlMs: number;
    }
  /** Fields and values, one after the other. */
  | { readonly hash: readonly string[] }
  /** Members and scores, one after the other. */
  | { readonly zset: readonly string[] }
  | { readonly list: readonly string[] }
);

/**
 * Writes a backup of the state in Redis: a head, a line of JSON a part, and an end, which says how many there are and the SHA-256 of all
 * before it. Nothing of it is ever held in memory as a whole.
 *
 * @throws Error of the file system; then there is no file
 */
export async function writeBackup(file: string, parts: AsyncIterable<BackupPart>): Promise<void> {
  const handle = await open(file, 'wx', 0o600);
  try {
    const hash = createHash('sha256');
    let block = '';
    const write = async (atLeast: number): Promise<void> => {
      if (block.length < atLeast) return;
      hash.update(block);
      await handle.appendFile(block);
      block = '';
    };
    block += `${JSON.stringify({ signalbox: 'state', format: FORMAT, at: new Date().toISOString() })}\n`;
    let count = 0;
    for await (const part of parts) {
      block += `${JSON.stringify(part)}\n`;
      count += 1;
      await write(BLOCK_CHARACTERS);
    }
    await write(0);
    await handle.appendFile(`${JSON.stringify({ end: count, sha256: hash.digest('hex') })}\n`);
    await handle.sync();
  } catch (error) {
    await rm(file, { force: true });
    throw error;
  } finally {
    await handle.close();
  }
}

/** Reads all of a backup. @throws Error where it isn't whole, or is none */
export async function checkBackup(file: string): Promise<void> {
  const parts = readBackup(file);
  while ((await parts.next()).done !== true);
}

/**
 * The parts of a backup. What was read before it throws must not be used: {@link checkBackup} it first.
 *
 * @throws Error where it isn't whole, or is none
 */
export async function* readBackup(file: string): AsyncGenerator<BackupPart> {
  const handle = await open(file);
  try {
    yield* partsOf(handle, file);
  } finally {
    await handle.close();
  }
}

async function* partsOf(handle: FileHandle, file: string): AsyncGenerator<BackupPart> {
  const hash = createHash('sha256');
  let lines = 0;
  let parts = 0;
  let isEnded = false;
  for await (const line of handle.readLines({ autoClose: false })) {
    lines += 1;
    if (isEnded) throw new Error(`${file}:${lines}: something comes after the end of the backup`);
    const read = readLine(line, lines, file);
    if (lines === 1) checkHead(read, file);
    else if (isPart(read)) {
      parts += 1;
      yield read;
    } else if ('end' in read && 'sha256' in read) {
      if (read.end !== parts || read.sha256 !== hash.digest('hex'))
        throw new Error(`${file} was changed or damaged: its end says what it should be, and it is not`);
      isEnded = true;
    } else throw new Error(`${file}:${lines}: is no line of a backup`);
    if (!isEnded) hash.update(line).update('\n');
  }
  if (!isEnded)
    throw new Error(
      lines === 0
        ? `${file} is no backup of a state in Redis`
        : `${file} breaks off: it is not the whole backup`,
    );
}

function readLine(line: string, number: number, file: string): object {
  try {
    const read: unknown = JSON.parse(line);
    if (typeof read === 'object' && read !== null) return read;
  } catch (cause) {
    throw new Error(
      number === 1 ? `${file} is no backup of a state in Redis` : `${file}:${number}: is no line of a backup`,
      { cause },
    );
  }
  throw new Error(`${file}:${number}: is no line of a backup`);
}

function checkHead(read: object, file: string): void {
  if (!('signalbox' in read) || read.signalbox !== 'state')
    throw new Error(`${file} is no backup of a state in Redis`);
  const format = 'format' in read ? read.format : undefined;
  if (format !== FORMAT)
    throw new Error(
      `${file} has format ${String(format)}, and this release knows ${FORMAT}; run the release that made it`,
    );
}

function isPart(read: object): read is BackupPart {
  if (!('key' in read) || typeof read.key !== 'string') return false;
  if ('string' in read)
    return typeof read.string === 'string' && 'ttlMs' in read && typeof read.ttlMs === 'number';
  const values =
    'hash' in read ? read.hash : 'zset' in read ? read.zset : 'list' in read ? read.list : undefined;
  return Array.isArray(values) && values.every((value) => typeof value === 'string');
}
