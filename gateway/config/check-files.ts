import { join } from 'node:path';
import { InvalidDocuments, fileProblem } from '../../documents/problem.ts';
import type { Problem } from '../../documents/problem.ts';
import { versionFault } from '../../backends/repository/layout.ts';
import { circleFrom, circleMessage } from '../../backends/ensemble/find-members.ts';
import { allStepsOf } from '../../backends/ensemble/ensemble-config.ts';
import type { EnsembleConfig } from '../../backends/ensemble/ensemble-config.ts';
import { lookAt } from '../../backends/repository/look.ts';
import type { Look } from '../../backends/repository/look.ts';
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
      const { versionPolicy, backend } = settings.config;
      const wanted = selectVersions(versionPolicy, present);
      for (const ensemble of allStepsOf(backend)) problems.push(...ensembleProblems(name, ensemble, look));
      if (backend.kind === 'ensemble') {
        for (const [version, own] of backend.ofVersions)
          if (own.kind === 'refused' && wanted.includes(version)) problems.push(...own.problems);
      }
      models.set(name, wanted);
      warnings.push(...settings.config.warnings);
      for (const version of wanted) {
        const found = folder.versions.find((candidate) => candidate.version === version);
        const fault =
          found === undefined
            ? 'is missing, though version_policy names it'
            : versionFault(found, settings.config);
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

/** What can be told of an ensemble without loading its models: whether they are there, and lead in no circle. */
function ensembleProblems(model: string, ensemble: EnsembleConfig, { models }: Look): readonly Problem[] {
  const missing = ensemble.steps.flatMap((step, index) => {
    const seen = models.get(step.model);
    if (seen === undefined) {
      const message = `is "${step.model}", which no repository has; there are: ${[...models.keys()].join(', ')}`;
      return [ensemble.problemAt(['step', index, 'model_name'], message)];
    }
    const versions = seen.folder.versions.map(({ version }) => version);
    if (step.version === undefined || versions.includes(step.version)) return [];
    const message = `is ${step.version}, but model "${step.model}" has no such version; it has: ${versions.join(', ') || 'none'}`;
    return [ensemble.problemAt(['step', index, 'model_version'], message)];
  });
  const circle = circleFrom(
    {
      config: (name) => {
        const settings = models.get(name)?.settings;
        return settings?.kind === 'read' ? settings.config : undefined;
      },
    },
    { model, ensemble },
  );
  if (circle === undefined) return missing;
  return [...missing, ensemble.problemAt(['step'], circleMessage(circle))];
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
