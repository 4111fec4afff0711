import { readlink, realpath } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';

/** As many as the system itself follows. */
const MOST_LINKS = 40;

/**
 * The file that a path stands for once its symbolic links are followed, also where there is none yet. Who writes beside a file and renames
 * over it has to name this one: a rename puts the file in the place of a link, and leaves what the link named as it was.
 *
 * @throws Error of the file system, `ELOOP` where links lead in a circle
 */
export async function linkedFile(path: string): Promise<string> {
  let file = path;
  for (let links = 0; links < MOST_LINKS; links++) {
    try {
      return await realpath(file);
    } catch (error) {
      if (!isNotThere(error)) throw error;
    }
    // Not there: either nothing has the name, or a link has it whose own target is to be made.
    const target = await readlink(file).catch(() => undefined);
    if (target === undefined) return file;
    file = resolve(dirname(file), target);
  }
  return file;
}

function isNotThere(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}
