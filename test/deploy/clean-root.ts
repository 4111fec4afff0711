import { execFile } from 'node:child_process';
import { cp, lstat, mkdir, readdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

const execute = promisify(execFile);

/**
 * Gives a folder what a distroless base image has: the shared libraries that the image's programs link against, with their
 * loader, the list of users, and an empty /tmp. No shell, no `env`, no package manager.
 *
 * @param programs absolute paths of programs and shared objects
 */
export async function layBase(root: string, programs: readonly string[]): Promise<void> {
  const libraries = new Set<string>();
  for (const program of programs) {
    const { stdout } = await execute('ldd', [program]);
    for (const [, path] of stdout.matchAll(/(?:=> |^\s+)(\/\S+) \(/gm))
      if (path !== undefined) libraries.add(path);
  }
  for (const library of libraries) {
    if (library.startsWith(root)) continue;
    await mkdir(join(root, dirname(library)), { recursive: true });
    await cp(library, join(root, library), { dereference: true });
  }
  for (const folder of ['tmp', 'etc', 'proc', 'dev']) await mkdir(join(root, folder), { recursive: true });
  await writeFile(join(root, 'etc/passwd'), 'nonroot:x:65532:65532:nonroot:/:/sbin/nologin\n');
}

/** The paths of everything in a folder that is not a folder, relative to it. */
export async function filesUnder(folder: string): Promise<readonly string[]> {
  const names = await readdir(folder, { recursive: true });
  const files: string[] = [];
  for (const name of names) if (!(await lstat(join(folder, name))).isDirectory()) files.push(name);
  return files;
}
