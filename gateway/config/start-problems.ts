import { InvalidDocuments, fileProblem, formatProblem } from '../../documents/problem.ts';
import type { Problem } from '../../documents/problem.ts';
import { bindSockets } from '../supervisor/bound-socket.ts';
import { checkFiles } from './check-files.ts';
import type { Config } from './config.ts';
import { placed } from './placed-problems.ts';
import { planeProblems, sharedAddresses } from './plane-problems.ts';

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
  return new InvalidDocuments(await placed([...problems.values()], config.file));
}

/** What can be told without loading a model: addresses, certificates, keys, folders and experiments. */
async function startProblems(config: Config): Promise<readonly Problem[]> {
  const { listen, file } = config;
  const shared = new Set(sharedAddresses(config).map(({ path }) => path));
  const binding = Object.entries(listen).map(async ([plane, address]): Promise<readonly Problem[]> => {
    const path = `listen.${plane}`;
    if (address === undefined || shared.has(path)) return [];
    try {
      for (const socket of await bindSockets(address)) socket.close();
      return [];
    } catch (error) {
      return [{ ...fileProblem(file, messageOf(error)), path }];
    }
  });
  const found = await Promise.all([...binding, planeProblems(config), folderAndFileProblems(config)]);
  return found.flat();
}

/** Of the folders and the experiments. A model that can't be loaded keeps nothing from starting: the repository's index tells of it. */
async function folderAndFileProblems(config: Config): Promise<readonly Problem[]> {
  const { problems } = await checkFiles(config);
  const { experiments, file: own } = config;
  return problems.filter(
    ({ file }) => file === own || (experiments !== undefined && file.startsWith(experiments)),
  );
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
