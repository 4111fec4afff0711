import { execFile } from 'node:child_process';
import { access, constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';

const execute = promisify(execFile);

/** A program that tests need and npm can't bring: where it is, or why its tests are skipped. */
export type FoundServer =
  | { readonly kind: 'found'; readonly program: string }
  | { readonly kind: 'missing'; readonly reason: string };

const lookedFor = new Map<string, Promise<FoundServer>>();

/**
 * Finds a program on the PATH, or installs the Debian package that has it where that is allowed (as root, with apt-get).
 * Elsewhere it says what is missing, so that the suite can skip with that reason; with `CI=true` missing is failing.
 *
 * @throws Error with the same reason when `CI` is `true`
 */
export async function findServer(program: string, debianPackage: string): Promise<FoundServer> {
  let search = lookedFor.get(program);
  if (search === undefined) {
    search = findOrInstall(program, debianPackage);
    lookedFor.set(program, search);
  }
  const found = await search;
  if (found.kind === 'missing' && process.env.CI === 'true') throw new Error(found.reason);
  return found;
}

async function findOrInstall(program: string, debianPackage: string): Promise<FoundServer> {
  const before = await onPath(program);
  const mayInstall = process.getuid?.() === 0 && (await onPath('apt-get')) !== undefined;
  if (before !== undefined && !(mayInstall && (await isBeingInstalled(debianPackage)))) {
    return { kind: 'found', program: before };
  }
  const missing = `${program} is not installed; \`apt-get install ${debianPackage}\` brings it`;
  if (!mayInstall) return { kind: 'missing', reason: missing };
  try {
    // Test files run side by side: one that finds the package system in use waits for its turn.
    const turn = ['-o', 'DPkg::Lock::Timeout=100'];
    const options = { env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }, timeout: 120_000 };
    const install = [...turn, 'install', '-y', '--no-install-recommends', debianPackage];
    // A fresh machine has no lists of packages yet, or old ones.
    await execute('apt-get', install, options).catch(async () => {
      await execute('apt-get', [...turn, 'update'], options);
      await execute('apt-get', install, options);
    });
  } catch (error) {
    const why = error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error);
    return { kind: 'missing', reason: `${missing} (it was tried: ${why})` };
  }
  const after = await onPath(program);
  return after === undefined ? { kind: 'missing', reason: missing } : { kind: 'found', program: after };
}

/** Whether another test file is just at it: a program lies in its place before the libraries do that it needs. */
async function isBeingInstalled(debianPackage: string): Promise<boolean> {
  const asked = execute('dpkg-query', ['--show', '--showformat', '${db:Status-Status}', debianPackage]);
  // One that is not Debian's is there by itself.
  const status = await asked.then(({ stdout }) => stdout).catch(() => 'not-installed');
  return ['half-installed', 'unpacked', 'half-configured'].includes(status);
}

/** @param more folders that are not always on the PATH */
export async function onPath(
  program: string,
  more: readonly string[] = ['/usr/sbin', '/sbin'],
): Promise<string | undefined> {
  const folders = [...(process.env.PATH ?? '').split(delimiter), ...more];
  for (const folder of folders) {
    const path = join(folder, program);
    try {
      await access(path, constants.X_OK);
      return path;
    } catch {
      continue;
    }
  }
  return undefined;
}
