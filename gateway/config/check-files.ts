import { join } from 'node:path';
import { InvalidDocuments, fileProblem } from '../../documents/problem.ts';
import type { Problem } from '../../documents/problem.ts';
import { versionFault } from '../../backends/repository/layout.ts';
import { lookAt } from '../../backends/repository/look.ts';
import { selectVersions } from '../../backends/repository/version-policy.ts';
import { ExperimentFiles } from '../reload/experiment-files.ts';
import type { Config } from './config.ts';

/** What a configuration's folders hold, as far as it can be told without loading a model. */
export interface FilesReport {
  readonly models: readonly { readonly name: string; readonly versions: readonly number[] }[];
  readonly experiments: readonly { readonly key: string; readonly model: string; readonly status: string }[];
  readonly problems: readonly Problem[];
  /** What has no effect: fields that are known but not supported. */
  readonly warnings: readonly Problem[];
}

/** Checks the models' configurations and the experiments without serving anything. */
export async function checkFiles(config: Config): Promise<FilesReport> {
  const problems: Problem[] = [];
  const warnings: Problem[] = [];
  const models = new Map<string, readonly number[]>();
  try {
    const look = await lookAt(config.models.roots);
    for (const { path, reason } of look.strays) problems.push(fileProblem(path, reason));
    for (const [name, { folder, settings }] of look.models) {
      const present = folder.versions.map(({ version }) => version);
      if (settings.kind === 'refused') {
        models.set(name, present);
        problems.push(...settings.problems);
        continue;
      }
      const { versionPolicy, modelFilename } = settings.config;
      const wanted = selectVersions(versionPolicy, present);
      models.set(name, wanted);
      warnings.push(...settings.config.warnings);
      for (const version of wanted) {
        const found = folder.versions.find((candidate) => candidate.version === version);
        const fault =
          found === undefined
            ? 'is missing, though version_policy names it'
            : versionFault(found, modelFilename);
        if (fault !== undefined) problems.push(fileProblem(join(folder.directory, String(version)), fault));
      }
    }
  } catch (error) {
    problems.push(fileProblem('models.repository', `can't be read: ${reasonOf(error)}`));
  }
  const experiments = new ExperimentFiles(config.experiments, (model) => models.get(model), config.holdout);
  try {
    await experiments.load();
  } catch (error) {
    if (!(error instanceof InvalidDocuments)) throw error;
    problems.push(...error.problems);
  }
  return {
    models: [...models].map(([name, versions]) => ({ name, versions })),
    experiments: [...experiments.current.byKey.values()].map(({ key, model, status }) => ({
      key,
      model,
      status,
    })),
    problems,
    warnings,
  };
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
