import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Type } from 'typebox';
import { InvalidDocuments, fileProblem } from '../../documents/problem.ts';
import type { Problem } from '../../documents/problem.ts';
import { checkDocument } from '../../documents/schema-check.ts';
import type { VersionSteps } from '../ensemble/ensemble-config.ts';
import { parseConfig } from './config-document.ts';
import { readVersionSteps } from './ensemble-fields.ts';
import { CONFIG_FILES } from './layout.ts';
import type { VersionFolder } from './layout.ts';
import type { ModelConfig } from './model-config.ts';
import { EnsembleSchema } from './model-config-schema.ts';

/** What a version says for itself; what callers give and get is the model's, and alike for all its versions. */
const VersionFileSchema = Type.Object(
  { ensemble_scheduling: EnsembleSchema },
  { additionalProperties: false },
);

/** Reads the steps that versions of an ensemble have for themselves: variants of an experiment differ in them. */
export async function readStepsOfVersions(
  config: ModelConfig,
  versions: readonly VersionFolder[],
): Promise<ReadonlyMap<number, VersionSteps>> {
  const read = await Promise.all(
    versions.map(async (folder) => [folder.version, await stepsOf(config, folder)] as const),
  );
  return new Map(read.flatMap(([version, steps]) => (steps === undefined ? [] : [[version, steps]])));
}

async function stepsOf(
  config: ModelConfig,
  { directory, files }: VersionFolder,
): Promise<VersionSteps | undefined> {
  const [name, ...others] = CONFIG_FILES.filter((file) => files.some(({ path }) => path === file));
  if (name === undefined) return undefined;
  const file = join(directory, name);
  if (others.length > 0) {
    const problem = fileProblem(directory, 'has a config.yaml and a config.pbtxt; expected one of the two');
    return { kind: 'refused', problems: [problem] };
  }
  try {
    const document = parseConfig(await readFile(file, 'utf8'), file);
    const own = checkDocument(document, VersionFileSchema);
    const problems: Problem[] = [];
    const ensemble = readVersionSteps({ ...config.written, ...own }, document, (path, message) => {
      problems.push(document.problemAt(path, message));
    });
    return problems.length > 0 ? { kind: 'refused', problems } : { kind: 'read', ensemble, written: own };
  } catch (error) {
    if (error instanceof InvalidDocuments) return { kind: 'refused', problems: error.problems };
    if (!(error instanceof Error && 'code' in error)) throw error;
    return { kind: 'refused', problems: [fileProblem(file, error.message)] };
  }
}
