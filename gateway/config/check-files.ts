import { InvalidDocuments, fileProblem } from '../../documents/problem.ts';
import type { Problem } from '../../documents/problem.ts';
import { scanRepository } from '../../backends/repository/layout.ts';
import { readSettings } from '../../backends/repository/model-settings.ts';
import { ExperimentFiles } from '../reload/experiment-files.ts';
import type { Config } from './config.ts';

/** What a configuration's folders hold, as far as it can be told without loading a model. */
export interface FilesReport {
  readonly models: readonly { readonly name: string; readonly versions: readonly number[] }[];
  readonly experiments: readonly { readonly key: string; readonly model: string; readonly status: string }[];
  readonly problems: readonly Problem[];
}

/** Checks the models' configurations and the experiments without serving anything. */
export async function checkFiles(config: Config): Promise<FilesReport> {
  const problems: Problem[] = [];
  const models = new Map<string, readonly number[]>();
  for (const root of config.models.roots) {
    try {
      for (const folder of await scanRepository(root)) {
        if (models.has(folder.name)) continue;
        models.set(
          folder.name,
          folder.versions.map(({ version }) => version),
        );
        const settings = await readSettings(folder);
        if (settings.kind === 'refused') problems.push(...settings.problems);
        for (const { modelFile, fingerprint } of folder.versions) {
          if (fingerprint === undefined)
            problems.push(fileProblem(modelFile, 'is missing; expected an ONNX model'));
        }
      }
    } catch (error) {
      problems.push(
        fileProblem(root, `can't be read: ${error instanceof Error ? error.message : String(error)}`),
      );
    }
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
  };
}
