import { readdir } from 'node:fs/promises';
import { fileProblem } from '../../documents/problem.ts';
import type { Problem } from '../../documents/problem.ts';
import type { Config } from './config.ts';

/** The folders of the configuration that can't be read, by their keys. */
export async function folderProblems(config: Config): Promise<readonly Problem[]> {
  const { models, experiments, file } = config;
  const folders = [
    ...models.roots.map((folder) => ({ path: 'models.repository', folder })),
    ...(experiments === undefined ? [] : [{ path: 'experiments', folder: experiments }]),
  ];
  const checks = folders.map(async ({ path, folder }): Promise<readonly Problem[]> => {
    try {
      await readdir(folder);
      return [];
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      return [{ ...fileProblem(file, `is ${folder}, which can't be read: ${reason}`), path }];
    }
  });
  return (await Promise.all(checks)).flat();
}
