import { join } from 'node:path';
import { fileProblem } from '../../documents/problem.ts';
import type { Problem } from '../../documents/problem.ts';
import type { GraphSignature } from '../../backends/declared-signature.ts';
import { circleFrom, circleMessage } from '../../backends/ensemble/find-members.ts';
import { allStepsOf } from '../../backends/ensemble/ensemble-config.ts';
import type { EnsembleConfig } from '../../backends/ensemble/ensemble-config.ts';
import { scanRepository, versionFault } from '../../backends/repository/layout.ts';
import type { ModelFolder } from '../../backends/repository/layout.ts';
import { lookAt } from '../../backends/repository/look.ts';
import type { Look, ModelLook } from '../../backends/repository/look.ts';
import type { ModelSettings } from '../../backends/repository/model-settings.ts';
import { readSignature } from '../../backends/repository/read-signature.ts';
import { selectVersions } from '../../backends/repository/version-policy.ts';
import type { Described } from '../../backends/signature-misfit.ts';

/** What the model repositories hold, as far as it can be told without loading a model. */
export interface ModelsReport {
  /** The versions that would be served, by model. */
  readonly versions: ReadonlyMap<string, readonly number[]>;
  /** What a version takes and gives; undefined where its file doesn't tell. */
  readonly described: (model: string, version: number) => Described | undefined;
  readonly problems: readonly Problem[];
  readonly warnings: readonly Problem[];
}

/** What is found of one model. */
interface Findings {
  readonly versions: readonly number[];
  readonly described: ReadonlyMap<number, Described>;
  readonly problems: readonly Problem[];
  readonly warnings: readonly Problem[];
}

/** Checks the models' configurations, and of each version's file what it takes and gives. */
export async function checkModels(roots: readonly string[]): Promise<ModelsReport> {
  const found = new Map<string, Findings>();
  const problems: Problem[] = [];
  try {
    const look = await lookAt(roots.map(scanRepository));
    for (const { path, reason } of look.strays) problems.push(fileProblem(path, reason));
    for (const [name, model] of look.models) found.set(name, await checkModel(name, model, look));
  } catch (error) {
    problems.push(fileProblem('models.repository', `can't be read: ${reasonOf(error)}`));
  }
  const all = [...found.values()];
  return {
    versions: new Map([...found].map(([name, { versions }]) => [name, versions])),
    described: (model, version) => found.get(model)?.described.get(version),
    problems: [...problems, ...all.flatMap((model) => model.problems)],
    warnings: all.flatMap((model) => model.warnings),
  };
}

async function checkModel(name: string, { folder, settings }: ModelLook, look: Look): Promise<Findings> {
  const present = folder.versions.map(({ version }) => version);
  const described = new Map<number, Described>();
  if (settings.kind === 'refused')
    return { versions: present, described, problems: settings.problems, warnings: [] };
  const { versionPolicy, backend, image } = settings.config;
  const versions = selectVersions(versionPolicy, present);
  const problems = allStepsOf(backend).flatMap((ensemble) => [...ensembleProblems(name, ensemble, look)]);
  if (backend.kind === 'ensemble') {
    for (const [version, own] of backend.ofVersions)
      if (own.kind === 'refused' && versions.includes(version)) problems.push(...own.problems);
  }
  const warnings = [...settings.config.warnings];
  for (const version of versions) {
    const place = join(folder.directory, String(version));
    const read = await signatureOf(folder, version, settings);
    if (read instanceof VersionFault) problems.push(fileProblem(join(place, read.file), read.message));
    else if (read !== undefined) {
      described.set(version, { ...read, image });
      const labels = labelsFault(settings.labels, read);
      if (labels !== undefined) warnings.push(fileProblem(place, labels));
    }
  }
  return { versions, described, problems, warnings };
}

/** Why a version can't be loaded. */
class VersionFault {
  /** In the version's folder; empty: the folder itself. */
  readonly file: string;
  readonly message: string;

  constructor(file: string, message: string) {
    this.file = file;
    this.message = message;
  }
}

/** @returns undefined where no file tells */
async function signatureOf(
  { versions }: ModelFolder,
  version: number,
  { config }: Extract<ModelSettings, { readonly kind: 'read' }>,
): Promise<GraphSignature | VersionFault | undefined> {
  const folder = versions.find((candidate) => candidate.version === version);
  if (folder === undefined) return new VersionFault('', 'is missing, though version_policy names it');
  const fault = versionFault(folder, config);
  if (fault !== undefined) return new VersionFault('', fault);
  try {
    return await readSignature(folder, config);
  } catch (error) {
    return new VersionFault(config.modelFilename, reasonOf(error));
  }
}

/** Labels are lines, and classes what the only output has of them; of several outputs nobody knows which one classes. */
function labelsFault(labels: readonly string[], { outputs }: GraphSignature): string | undefined {
  const [output] = outputs;
  const classes = output?.shape.slice(1).reduce((count, size) => (size < 0 ? NaN : count * size), 1);
  const isTold = labels.length > 0 && outputs.length === 1 && output !== undefined && output.shape.length > 1;
  if (!isTold || classes === undefined || Number.isNaN(classes) || classes === labels.length)
    return undefined;
  const less =
    labels.length < classes ? 'those without one are told by their numbers' : 'the last ones are never told';
  return `gives ${classes} classes ("${output.name}" is [${output.shape.join(', ')}]), and there are ${labels.length} labels: ${less}`;
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
