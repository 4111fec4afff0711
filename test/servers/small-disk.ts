import { execFile } from 'node:child_process';
import { rm, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { temporaryFolder } from '../models/temporary-folder.ts';

const execute = promisify(execFile);

/** A file system of some kilobytes. */
export interface SmallDisk extends AsyncDisposable {
  readonly path: string;
  /** Takes what is left of it. */
  fill(): Promise<void>;
  /** Gives that back. */
  free(): Promise<void>;
}

/** @returns undefined where this user may mount none */
export async function mountSmallDisk(kibibytes: number): Promise<SmallDisk | undefined> {
  const folder = await temporaryFolder({});
  try {
    await execute('mount', ['-t', 'tmpfs', '-o', `size=${kibibytes}k`, 'tmpfs', folder.path]);
  } catch {
    await folder[Symbol.asyncDispose]();
    return undefined;
  }
  const filler = join(folder.path, 'filler');
  return {
    path: folder.path,
    async fill() {
      const { bavail, bsize } = await statfs(folder.path);
      // Who writes to it meanwhile takes a part of what was left; it is as full then.
      await writeFile(filler, Buffer.alloc(bavail * bsize)).catch((error: unknown) => {
        if (!isNoSpace(error)) throw error;
      });
    },
    free: () => rm(filler, { force: true }),
    async [Symbol.asyncDispose]() {
      await execute('umount', ['-l', folder.path]);
      await folder[Symbol.asyncDispose]();
    },
  };
}

function isNoSpace(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOSPC';
}
