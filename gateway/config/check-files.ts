import { InvalidDocuments } from '../../documents/problem.ts';
import type { Problem } from '../../documents/problem.ts';
import { ExperimentFiles } from '../reload/experiment-files.ts';
import { checkModels } from './check-models.ts';
import type { Config } from './config.ts';
import { folderProblems } from './folder-problems.ts';

/** What a configuration's folders hold, as far as it can be told without loading a model. */
export interface FilesReport {
  readonly models: readonly { readonly name: string; readonly versions: readonly number[] }[];
  readonly experiments: readonly { readonly key: string; readonly model: string; readonly status: string }[];
  readonly problems: readonly Problem[];
  /** What has no effect, as fields that are known but not supported, or another one than is to be expected. */
  readonly warnings: readonly Problem[];
}

/** Checks the models' configurations and files, and the experiments, without serving anything. */
export async function checkFiles(config: Config): Promise<FilesReport> {
  const folders = await folderProblems(config);
  const isReadable = (key: string): boolean => folders.every(({ path }) => path !== key);
  const models = await checkModels(isReadable('models.repository') ? config.models.roots : []);
  const problems = [...folders, ...models.problems];
  const warnings = [...models.warnings];
  const experiments = new ExperimentFiles({
    folder: isReadable('experiments') ? config.experiments : undefined,
    knownVersions: (model) => models.versions.get(model),
    // What a server elsewhere takes it says itself, and nobody is called here.
    describe: (model, { version }) => (version === undefined ? undefined : models.described(model, version)),
    holdout: config.holdout,
  });
  try {
    await experiments.load();
    for (const { isFault, problem } of experiments.misfits()) (isFault ? problems : warnings).push(problem);
  } catch (error) {
    if (!(error instanceof InvalidDocuments)) throw error;
    problems.push(...error.problems);
  }
  return {
    models: [...models.versions].map(([name, versions]) => ({ name, versions })),
    experiments: [...experiments.current.byKey.values()].map(({ key, model, status }) => ({
      key,
      model,
      status,
    })),
    problems,
    warnings,
  };
}
