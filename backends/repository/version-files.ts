import { createHash } from 'node:crypto';
import { createReadStream, readdirSync, statSync } from 'node:fs';
import type { BigIntStats } from 'node:fs';
import { join } from 'node:path';

/** A file of a version's folder: the model, its external weights, and whatever else lies there. */
export interface VersionFile {
  /** Relative to the folder, with `/` between its parts. */
  readonly path: string;
  /** Changes whenever the file does: its size, its time and its inode. */
  readonly fingerprint: string;
}

/** A version has a model and its weights; with more files than this it is not loaded. */
export const MAX_FILES = 10_000;

/** Folders within each other; links that lead back up end here. */
const MAX_DEPTH = 8;

/** Read at once while a digest is made: the main thread hashes that much in about a tenth of a millisecond. */
const DIGEST_CHUNK_BYTES = 256 * 1024;

/**
 * The files of a version's folder and of the folders in it, by path. Links are followed; hidden files are passed over, as
 * Kubernetes keeps the real folders of a mounted volume under hidden names.
 *
 * It waits for the disk where it is called, so on a thread that nobody waits for.
 */
export function listFiles(directory: string): readonly VersionFile[] {
  const files: VersionFile[] = [];
  const visit = (folder: string, prefix: string, depth: number): void => {
    for (const name of namesIn(folder)) {
      if (name.startsWith('.') || files.length > MAX_FILES) continue;
      const entry = statOf(join(folder, name));
      const path = `${prefix}${name}`;
      if (entry?.isDirectory() === true) {
        if (depth < MAX_DEPTH) visit(join(folder, name), `${path}/`, depth + 1);
      } else if (entry !== undefined) {
        files.push({ path, fingerprint: `${entry.size}-${entry.mtimeNs}-${entry.ino}` });
      }
    }
  };
  visit(directory, '', 1);
  return files.sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** The names in a folder; none where it vanished between two looks, or is closed to us. */
export function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** Undefined where it vanished between two looks, or is closed to us. */
export function statOf(path: string): BigIntStats | undefined {
  try {
    return statSync(path, { bigint: true, throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}

/** Changes whenever a file comes, goes or changes. */
export function fingerprintOf(files: readonly VersionFile[]): string {
  return files.map(({ path, fingerprint }) => `${JSON.stringify(path)} ${fingerprint}`).join(', ');
}

/**
 * The sha256 of a version's files, as hexadecimal: that of a text with a line `<sha256>  <path>` for each file, in the order
 * of the paths. It is what `find -L . -type f -printf '%P\n' | LC_ALL=C sort | xargs sha256sum | sha256sum` prints in the folder.
 *
 * @throws Error when a file can't be read
 */
export async function digestFiles(directory: string, files: readonly VersionFile[]): Promise<string> {
  const whole = createHash('sha256');
  for (const { path } of files) {
    const hash = createHash('sha256');
    const stream = createReadStream(join(directory, path), { highWaterMark: DIGEST_CHUNK_BYTES });
    for await (const chunk of stream) hash.update(chunk as Buffer);
    whole.update(`${hash.digest('hex')}  ${path}\n`);
  }
  return whole.digest('hex');
}
