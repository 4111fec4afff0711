import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { InvalidDocuments, fileProblem } from '../../documents/problem.ts';
import type { Problem } from '../../documents/problem.ts';
import { parseYaml } from '../../documents/yaml-document.ts';
import type { ModelFolder } from './layout.ts';
import { DEFAULT_MODEL_CONFIG, readModelConfig } from './model-config.ts';
import type { ModelConfig } from './model-config.ts';

/** What the files beside a model's versions say. */
export type ModelSettings =
  | {
      readonly kind: 'read';
      /** Changes whenever one of the files does. */
      readonly fingerprint: string;
      readonly config: ModelConfig;
      readonly labels: readonly string[];
    }
  | {
      readonly kind: 'refused';
      readonly fingerprint: string;
      /** At least one. */
      readonly problems: readonly Problem[];
    };

export async function readSettings(folder: ModelFolder): Promise<ModelSettings> {
  if (folder.fault !== undefined) {
    return {
      kind: 'refused',
      fingerprint: folder.fault,
      problems: [fileProblem(folder.directory, folder.fault)],
    };
  }
  let text = '';
  try {
    if (folder.configFile === undefined) {
      return { kind: 'read', fingerprint: '', config: DEFAULT_MODEL_CONFIG, labels: [] };
    }
    text = await readFile(folder.configFile, 'utf8');
    const config = readModelConfig(parseYaml(text, folder.configFile), folder.name);
    const labelsText =
      config.labelsFile === undefined
        ? ''
        : await readFile(join(folder.directory, config.labelsFile), 'utf8');
    const labels = labelsText
      .split(/\r?\n/)
      .filter((line, index, lines) => line !== '' || index < lines.length - 1);
    return { kind: 'read', fingerprint: JSON.stringify([text, labelsText]), config, labels };
  } catch (error) {
    if (!(error instanceof InvalidDocuments) && !isFileError(error)) throw error;
    const fingerprint = JSON.stringify([text, error.message]);
    if (error instanceof InvalidDocuments) return { kind: 'refused', fingerprint, problems: error.problems };
    return {
      kind: 'refused',
      fingerprint,
      problems: [fileProblem(folder.configFile ?? folder.directory, error.message)],
    };
  }
}

function isFileError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'code' in error;
}
