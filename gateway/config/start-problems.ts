import { InvalidDocuments, fileProblem, formatProblem } from '../../documents/problem.ts';
import type { Problem } from '../../documents/problem.ts';
import { bindSockets } from '../supervisor/bound-socket.ts';
import { readTls } from '../tls.ts';
import { WatchedKeys } from '../trust/watched-keys.ts';
import { checkFiles } from './check-files.ts';
import type { Config } from './config.ts';

/**
 * A start failed: finds what else would have kept it from serving, so that all of it can be put right at once. Nothing of that is done for
 * a start that goes well.
 *
 * @param error why it failed
 * @returns the same error where nothing else is wrong
 */
export async function withAllElse(error: unknown, config: Config): Promise<unknown> {
  const found = await startProblems(config);
  if (found.length === 0) return error;
  const first =
    error instanceof InvalidDocuments ? error.problems : [fileProblem(config.file, messageOf(error))];
  const problems = new Map<string, Problem>();
  for (const problem of found) problems.set(formatProblem(problem), problem);
  for (const problem of first) {
    const isTold = found.some(({ message }) => message.includes(problem.message));
    if (!isTold) problems.set(formatProblem(problem), problem);
  }
  return new InvalidDocuments([...problems.values()]);
}

/** What can be told without loading a model: addresses, certificates, keys, folders and experiments. */
async function startProblems(config: Config): Promise<readonly Problem[]> {
  const { listen, tls, auth, file } = config;
  const at = (path: string, message: string): Problem => ({ ...fileProblem(file, message), path });
  const checks: Promise<readonly Problem[]>[] = [];
  for (const [plane, address] of Object.entries(listen)) {
    if (address === undefined) continue;
    checks.push(
      bindSockets(address).then(
        (sockets) => {
          for (const socket of sockets) socket.close();
          return [];
        },
        (error: unknown) => [at(`listen.${plane}`, messageOf(error))],
      ),
    );
  }
  for (const [plane, files] of Object.entries(tls)) {
    if (files === undefined) continue;
    checks.push(
      readTls(plane, files).then(
        () => [],
        (error: unknown) => [fileProblem(file, messageOf(error))],
      ),
    );
  }
  if (auth.keys?.kind === 'file')
    checks.push(WatchedKeys.open(auth.keys.file).then(() => [], problemsOf(file)));
  checks.push(experimentProblems(config));
  return (await Promise.all(checks)).flat();
}

/** A model that can't be loaded keeps nothing from starting: the repository's index tells of it. */
async function experimentProblems(config: Config): Promise<readonly Problem[]> {
  const { problems } = await checkFiles(config);
  const { experiments } = config;
  return experiments === undefined ? [] : problems.filter(({ file }) => file.startsWith(experiments));
}

function problemsOf(file: string): (error: unknown) => readonly Problem[] {
  return (error) =>
    error instanceof InvalidDocuments ? error.problems : [fileProblem(file, messageOf(error))];
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
