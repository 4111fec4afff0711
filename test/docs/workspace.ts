import { cp, glob, mkdir, mkdtemp, readFile, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join, relative } from 'node:path';
import { ROOT } from '../e2e/cli.ts';
import { freePort } from '../servers/free-port.ts';

/** What a reader's clone has and a page may need; the tests and the measurements' results are left out. */
const LEFT_OUT =
  /^(?:\.git|node_modules|dist|coverage|test|bench\/results)(?:\/|$)|\.(?:db|db-shm|db-wal|jsonl)$/;

/**
 * Source in which no port stands. In a clone each file of it is a link, so that Node finds it compiled as it is for every other test: compiled
 * anew for each clone, it is most of what a start takes.
 */
const LINKED = /^(?:gateway\/(?!cli\/)|backends\/|experiments\/|documents\/).*\.ts$/;

/** Where the ports that the documentation names are written in a clone: the demo, what `init` writes, what commands call. */
const PORTS_STAND_IN = ['demo/signalbox.yaml', 'demo/hints.txt', 'gateway/cli'];

/**
 * A clone of a page's own, in which `npm ci` has been run. The addresses that pages name (127.0.0.1:8000…) are taken by
 * free ones, so that pages run side by side, and beside whatever else runs on the machine.
 */
export interface Workspace extends AsyncDisposable {
  readonly folder: string;
  /** For what is no part of the clone. */
  readonly notes: string;
  /** The environment of a reader's terminal. */
  readonly env: NodeJS.ProcessEnv;
  /** The text with each port of this machine that it names replaced by the one that stands for it here. */
  mapPorts(text: string): Promise<string>;
}

export interface WorkspaceOptions {
  /** Whether there is a clone; else an empty folder. */
  readonly clone: boolean;
  /** Whether `npx signalbox` goes through npx, which takes as long as the command itself. */
  readonly npx: boolean;
}

export async function openWorkspace({ clone, npx }: WorkspaceOptions): Promise<Workspace> {
  const temporary = await takePlace();
  const [folder, notes] = [join(temporary.path, 'signalbox'), join(temporary.path, 'notes')];
  await mkdir(folder, { recursive: true });
  await mkdir(join(notes, 'bin'), { recursive: true });
  const ports = new Map<string, Promise<number>>();
  const mapPorts = async (text: string): Promise<string> => {
    const pattern = /(?<=\b(?:127\.0\.0\.1|localhost):|--port[ =])\d{2,5}\b/g;
    for (const [port] of text.matchAll(pattern)) {
      if (port !== '0' && !ports.has(port)) ports.set(port, freePort());
    }
    const mapped = new Map<string, number>();
    for (const [port, free] of ports) mapped.set(port, await free);
    return text.replaceAll(pattern, (port) => String(mapped.get(port) ?? port));
  };
  if (clone) {
    await copyClone(folder);
    for (const path of PORTS_STAND_IN) await mapFiles(join(folder, path), mapPorts);
  }
  // Any answer of 400 or more makes curl fail, so that no command is thought to work that was refused.
  await writeFile(join(notes, '.curlrc'), 'fail-with-body\n');
  await writeFile(join(notes, 'bin/npm'), NPM, { mode: 0o755 });
  if (!npx) await writeFile(join(notes, 'bin/npx'), npxIn(folder), { mode: 0o755 });
  return {
    folder,
    notes,
    env: terminalEnvironment(notes),
    mapPorts,
    [Symbol.asyncDispose]: () => temporary[Symbol.asyncDispose](),
  };
}

/** Places that earlier pages have left, empty. In a clone that stands where one stood before, Node finds the rest compiled too. */
const left: string[] = [];

async function takePlace(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = left.pop() ?? (await mkdtemp(join(tmpdir(), 'signalbox-page-')));
  await mkdir(path, { recursive: true });
  return {
    path,
    async [Symbol.asyncDispose]() {
      await rm(path, { recursive: true, force: true, maxRetries: 8, retryDelay: 100 });
      left.push(path);
    },
  };
}

/** The packages are there, so `npm ci` has nothing to do; `npm run bench:newcomer` runs it. */
const NPM = `#!/bin/sh
[ "$*" = ci ] && exit 0
PATH="\${PATH#*:}" exec npm "$@"
`;

/** What npx does with the clone's own command. */
function npxIn(folder: string): string {
  return `#!/bin/sh
[ "$1" = signalbox ] || { PATH="\${PATH#*:}" exec npx "$@"; }
shift
exec ${folder}/node_modules/.bin/node ${folder}/bin/signalbox.js "$@"
`;
}

async function copyClone(folder: string): Promise<void> {
  const wanted = (source: string): boolean => !LEFT_OUT.test(relative(ROOT, source));
  const filter = (source: string): boolean => wanted(source) && !LINKED.test(relative(ROOT, source));
  for (const name of await readdir(ROOT)) {
    if (wanted(join(ROOT, name))) await cp(join(ROOT, name), join(folder, name), { recursive: true, filter });
  }
  for await (const file of glob('{gateway,backends,experiments,documents}/**/*.ts', { cwd: ROOT })) {
    if (LINKED.test(file)) await symlink(join(ROOT, file), join(folder, file));
  }
  await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
}

async function mapFiles(path: string, map: (text: string) => Promise<string>): Promise<void> {
  const names = await readdir(path, { recursive: true }).catch(() => ['']);
  for (const name of names) {
    if (!/\.(?:ts|yaml|txt)$/.test(join(path, name))) continue;
    const text = await readFile(join(path, name), 'utf8');
    const mapped = await map(text);
    if (mapped !== text) await writeFile(join(path, name), mapped);
  }
}

/** What npm and Vitest set for the tests is not a reader's. */
function terminalEnvironment(notes: string): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(
    ([name]) =>
      !/^(?:npm_|VITEST|NODE_(?!COMPILE_CACHE$)|TEST$|DEV$|PROD$|MODE$|SSR$|BASE_URL$|SIGNALBOX_)/.test(name),
  );
  const path = (process.env.PATH ?? '').split(delimiter).filter((entry) => !entry.includes('node_modules'));
  return {
    ...Object.fromEntries(own),
    PATH: [join(notes, 'bin'), ...path].join(delimiter),
    CURL_HOME: notes,
    NO_COLOR: '1',
    // It warns of a Node that is older than the one that the project brings along.
    npm_config_loglevel: 'error',
  };
}
