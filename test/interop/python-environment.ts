import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { access, readFile, rm, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);

const CACHE = fileURLToPath(new URL('../../node_modules/.cache/', import.meta.url));

/** A Python that has the packages of a file of requirements, or why there is none. */
export type PythonEnvironment =
  { readonly kind: 'ready'; readonly python: string } | { readonly kind: 'missing'; readonly reason: string };

/**
 * Makes the environment when it is first asked for, and keeps it for as long as the requirements stay the same.
 *
 * @param file in `python/`
 */
export async function pythonEnvironment(file = 'requirements.txt'): Promise<PythonEnvironment> {
  const path = fileURLToPath(new URL(`./python/${file}`, import.meta.url));
  const requirements = await readFile(path);
  const name = `interop-${createHash('sha256').update(requirements).digest('hex').slice(0, 12)}`;
  const folder = `${CACHE}${name}`;
  const python = `${folder}/bin/python`;
  try {
    await access(`${folder}/complete`);
    return { kind: 'ready', python };
  } catch {
    // Not made yet, or only in part.
  }
  try {
    await rm(folder, { recursive: true, force: true });
    await run('python3', ['-m', 'venv', folder]);
    await run(python, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '-r', path]);
    await writeFile(`${folder}/complete`, '');
    return { kind: 'ready', python };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return {
      kind: 'missing',
      reason: `python3 with the packages of ${path} can't be had: ${reason}`,
    };
  }
}
