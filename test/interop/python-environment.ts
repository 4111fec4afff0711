import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { access, mkdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { KEPT_FOLDER } from '../kept-folder.ts';

const run = promisify(execFile);

/** A Python that has the packages of a file of requirements, or why there is none. */
export type PythonEnvironment =
  { readonly kind: 'ready'; readonly python: string } | { readonly kind: 'missing'; readonly reason: string };

/**
 * Makes the environment when it is first asked for, and keeps it for as long as the requirements and Python stay the same.
 *
 * @param file in `python/`
 */
export async function pythonEnvironment(file = 'requirements.txt'): Promise<PythonEnvironment> {
  const path = fileURLToPath(new URL(`./python/${file}`, import.meta.url));
  try {
    const { stdout: version } = await run('python3', ['--version']);
    const hash = createHash('sha256')
      .update(version)
      .update(await readFile(path));
    const folder = join(KEPT_FOLDER, `python-${hash.digest('hex').slice(0, 12)}`);
    if (!(await isThere(folder))) await make(folder, path);
    return { kind: 'ready', python: join(folder, 'bin/python') };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return {
      kind: 'missing',
      reason: `python3 with the packages of ${path} can't be had: ${reason}`,
    };
  }
}

const isThere = (folder: string): Promise<boolean> =>
  access(folder).then(
    () => true,
    () => false,
  );

/** Under a name of this process, and then at once under its own: another process may make the same. */
async function make(folder: string, requirements: string): Promise<void> {
  const made = `${folder}-${process.pid}`;
  try {
    await mkdir(KEPT_FOLDER, { recursive: true });
    await run('python3', ['-m', 'venv', '--clear', made]);
    const install = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '-r', requirements];
    await run(join(made, 'bin/python'), install);
    await rename(made, folder).catch(async (error: unknown) => {
      if (!(await isThere(folder))) throw error;
    });
  } finally {
    await rm(made, { recursive: true, force: true });
  }
}
