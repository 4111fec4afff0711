import { readFile, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { InvalidDocuments, fileProblem } from '../../documents/problem.ts';
import type { Problem } from '../../documents/problem.ts';
import { parseYaml } from '../../documents/yaml-document.ts';
import type { YamlDocument } from '../../documents/yaml-document.ts';
import { readExperiment } from '../../experiments/definition.ts';
import type { Experiment } from '../../experiments/definition.ts';
import { diffExperiments, explainRefusal, refusedChanges } from '../../experiments/experiment-diff.ts';
import type { ChangeClass } from '../../experiments/experiment-diff.ts';
import { assembleExperiments } from '../../experiments/experiment-set.ts';
import type { ExperimentSet } from '../../experiments/experiment-set.ts';
import { leftModels } from '../reload/left-models.ts';

/** What an edit changes of an experiment, and whether a running gateway takes it. */
export interface ExperimentEdit extends Problem {
  readonly experiment: string;
  readonly class: ChangeClass;
  /** Whether it is refused, as it is where it is forbidden, or needs a phase that the edit doesn't begin. */
  readonly isRefused: boolean;
}

interface ReadFile {
  readonly document: YamlDocument;
  readonly experiment: Experiment;
}

/**
 * Classes what changes from experiments as they run to experiments as they are written. A file that can't be read is left
 * out on the new side, where checking it says why.
 *
 * @param running a file, or a folder of files
 * @param written the same
 * @throws InvalidDocuments where the running side can't be read
 */
export async function compareExperiments(
  running: string,
  written: string,
  nowMs: number,
): Promise<readonly ExperimentEdit[]> {
  const before = await readRunning(running);
  const after = await readExperiments(written, () => undefined);
  return before.flatMap((old) => {
    const now = after.find(({ experiment }) => experiment.key === old.experiment.key);
    return now === undefined ? [] : editsOf(old.experiment, now, nowMs);
  });
}

/**
 * Warns of models whose calls would go elsewhere because the file of their experiment is gone. Where an experiment stands is not asked: one that
 * was rolled back is taken by what its file says.
 *
 * @param highest the highest version of a model
 * @throws InvalidDocuments where the running side can't be read
 */
export async function warnOfLeftModels(
  running: string,
  written: string,
  highest: (model: string) => number | undefined,
): Promise<readonly Problem[]> {
  const before = await readRunning(running);
  const after = await readExperiments(written, () => undefined);
  const setOf = (files: readonly ReadFile[]): ExperimentSet =>
    assembleExperiments(files.map(({ experiment }) => experiment)).set;
  return leftModels(setOf(before), setOf(after), highest).map(({ experiment, model, version }) => {
    const document = before.find((file) => file.experiment.key === experiment)?.document;
    const message =
      `"${experiment}" is not there any more, and no other experiment routes model "${model}": all its calls would go to version ${version}, ` +
      'also where it was rolled back; write `status: completed` and the `winner` to keep them where they are';
    return document?.problemAt(['key'], message) ?? fileProblem(written, message);
  });
}

function readRunning(path: string): Promise<readonly ReadFile[]> {
  return readExperiments(path, (problems) => {
    throw new InvalidDocuments(problems);
  });
}

function editsOf(
  before: Experiment,
  { document, experiment }: ReadFile,
  nowMs: number,
): readonly ExperimentEdit[] {
  const changes = diffExperiments(before, experiment, nowMs);
  const refused = new Set(refusedChanges(before, experiment, changes));
  return changes.map((change) => {
    const isRefused = refused.has(change);
    const message = isRefused ? explainRefusal(change, before) : `changed: ${change.why}`;
    return {
      ...document.problemAt(change.path, message),
      experiment: experiment.key,
      class: change.class,
      isRefused,
    };
  });
}

async function readExperiments(
  path: string,
  onProblems: (problems: readonly Problem[]) => void,
): Promise<readonly ReadFile[]> {
  const read: ReadFile[] = [];
  for (const file of await filesOf(path)) {
    try {
      const document = parseYaml(await readFile(file, 'utf8'), file);
      read.push({ document, experiment: readExperiment(document, undefined) });
    } catch (error) {
      if (!(error instanceof InvalidDocuments)) throw error;
      onProblems(error.problems);
    }
  }
  return read;
}

async function filesOf(path: string): Promise<readonly string[]> {
  let names: readonly string[];
  try {
    if (!(await stat(path)).isDirectory()) return [path];
    names = await readdir(path);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new InvalidDocuments([fileProblem(path, `can't be read: ${reason}`)]);
  }
  return names
    .filter((name) => /^[^.].*\.ya?ml$/.test(name))
    .sort()
    .map((name) => join(path, name));
}
