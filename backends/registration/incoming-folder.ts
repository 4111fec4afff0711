import { mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';

/** Nobody writes that long into one: what is older was left by a process that can't be asked any more. */
const ABANDONED_MS = 24 * 3_600_000;

const HOST = hostname().replace(/[^A-Za-z0-9]+/g, '_');

/** Whose folder it is: replicas may share a repository, and each takes away only what is its own. */
const NAME = /^\.incoming-(?<host>[A-Za-z0-9_]*)-(?<pid>[0-9]+)-/;

/**
 * Makes a folder in a repository for what isn't whole yet. Its hidden name keeps looks at the repository from seeing it, and says which process
 * writes there.
 */
export function makeIncomingFolder(root: string): Promise<string> {
  return mkdtemp(join(root, `.incoming-${HOST}-${process.pid}-`));
}

/** What has got its own name and is not loaded yet: a model, or a version of one. */
const PLACED = 'placed';

const PLACE = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}(?:\/[1-9][0-9]{0,14})?$/;

/**
 * Notes in a folder of {@link makeIncomingFolder} that what was written there has got its own name. Until the folder is removed it counts as
 * unfinished: a model that crashes the process while it is loaded for the first time would do so at every start.
 *
 * @param place in the repository, as `model` or `model/version`
 */
export function notePlaced(incoming: string, place: string): Promise<void> {
  return writeFile(join(incoming, PLACED), place);
}

/**
 * Takes away what processes have left in a repository's folders that died in the middle of a registration. To be called before this process
 * registers anything.
 *
 * @returns what was taken away
 */
export async function removeIncomingFolders(
  roots: readonly string[],
  nowMs: number,
): Promise<readonly string[]> {
  const removed: string[] = [];
  for (const root of roots) {
    // A repository that can't be read is told of by who needs it.
    const names = await readdir(root).catch((): string[] => []);
    for (const name of names.filter((entry) => entry.startsWith('.incoming-'))) {
      const path = join(root, name);
      if (!(await isLeftOver(path, name, nowMs))) continue;
      const place = await readFile(join(path, PLACED), 'utf8').catch(() => '');
      const gone = PLACE.test(place) ? [join(root, place), path] : [path];
      for (const each of gone) await rm(each, { recursive: true, force: true });
      removed.push(...gone);
    }
  }
  return removed;
}

async function isLeftOver(path: string, name: string, nowMs: number): Promise<boolean> {
  const { host, pid } = NAME.exec(name)?.groups ?? {};
  if (host === HOST && (Number(pid) === process.pid || !isAlive(Number(pid)))) return true;
  const entry = await stat(path).catch(() => undefined);
  return entry !== undefined && nowMs - entry.mtimeMs > ABANDONED_MS;
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    // One that may not be signalled is there.
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}
