import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { InvalidDocuments, fileProblem } from '../../documents/problem.ts';
import type { Problem } from '../../documents/problem.ts';
import { parseYaml } from '../../documents/yaml-document.ts';
import type { SourceDocument } from '../../documents/source-document.ts';
import type { ClassLabels } from '../class-labels.ts';
import { parseConfig } from './config-document.ts';
import type { ModelFolder } from './layout.ts';
import { ModelConfigMessage } from './model-config-proto.ts';
import { DEFAULT_MODEL_CONFIG, readModelConfig } from './model-config.ts';
import type { ModelConfig } from './model-config.ts';
import { fromProtoJson } from './proto-json.ts';
import { readStepsOfVersions } from './version-steps.ts';

/** What the files beside a model's versions say. */
export type ModelSettings =
  | (ClassLabels & {
      readonly kind: 'read';
      /** Changes whenever one of the files does. */
      readonly fingerprint: string;
      readonly config: ModelConfig;
    })
  | {
      readonly kind: 'refused';
      readonly fingerprint: string;
      /** At least one. */
      readonly problems: readonly Problem[];
    };

/** A configuration that is written in place of the model's own file. */
export interface ConfigOverride {
  /** How messages name it. */
  readonly source: string;
  /** A ModelConfig as JSON. */
  readonly text: string;
}

/** @param override undefined: the file's configuration holds */
export async function readSettings(folder: ModelFolder, override?: ConfigOverride): Promise<ModelSettings> {
  if (folder.fault !== undefined) {
    return {
      kind: 'refused',
      fingerprint: folder.fault,
      problems: [fileProblem(folder.directory, folder.fault)],
    };
  }
  const seen: string[] = [];
  try {
    const document = await readDocument(folder, override, seen);
    const config = document === undefined ? DEFAULT_MODEL_CONFIG : await readWhole(document, folder);
    const labels = await readAllLabels(folder, config, seen);
    if (config.warmup.length > 0) seen.push(JSON.stringify(folder.warmup));
    return { kind: 'read', fingerprint: JSON.stringify(seen), config, ...labels };
  } catch (error) {
    // Whatever it is, it is this model's alone: the others are served.
    const message = error instanceof Error ? error.message : String(error);
    const fingerprint = JSON.stringify([...seen, message]);
    if (error instanceof InvalidDocuments) return { kind: 'refused', fingerprint, problems: error.problems };
    const said = isFileError(error) ? message : `can't be read: ${message}`;
    const file = override?.source ?? folder.configFile ?? folder.directory;
    return { kind: 'refused', fingerprint, problems: [fileProblem(file, said)] };
  }
}

/** With what the versions' folders add, whose changes their own fingerprints tell. */
async function readWhole(document: SourceDocument, folder: ModelFolder): Promise<ModelConfig> {
  const config = readModelConfig(document, folder.name);
  if (config.backend.kind !== 'ensemble') return config;
  const ofVersions = await readStepsOfVersions(config, folder.versions);
  return Object.freeze({ ...config, backend: { ...config.backend, ofVersions } });
}

async function readDocument(
  { configFile }: ModelFolder,
  override: ConfigOverride | undefined,
  seen: string[],
): Promise<SourceDocument | undefined> {
  if (override !== undefined) {
    seen.push(override.text);
    // JSON is YAML, and so its mistakes have lines too.
    const document = parseYaml(override.text, override.source);
    return { ...document, data: fromProtoJson(document.data, ModelConfigMessage) };
  }
  if (configFile === undefined) return undefined;
  const text = await readFile(configFile, 'utf8');
  seen.push(text);
  return parseConfig(text, configFile);
}

async function readAllLabels(
  folder: ModelFolder,
  { labelsFile, outputLabelsFiles }: ModelConfig,
  seen: string[],
): Promise<ClassLabels> {
  const files = new Set([...(labelsFile === undefined ? [] : [labelsFile]), ...outputLabelsFiles.values()]);
  const read = new Map<string, readonly string[]>();
  for (const file of files) read.set(file, await readLabels(folder, file, seen));
  const of = (file: string): readonly string[] => read.get(file) ?? [];
  return {
    labels: labelsFile === undefined ? [] : of(labelsFile),
    ...(outputLabelsFiles.size > 0 && {
      outputLabels: new Map([...outputLabelsFiles].map(([output, file]) => [output, of(file)])),
    }),
  };
}

async function readLabels(folder: ModelFolder, file: string, seen: string[]): Promise<readonly string[]> {
  const text = await readFile(join(folder.directory, file), 'utf8');
  seen.push(text);
  return text.split(/\r?\n/).filter((line, index, lines) => line !== '' || index < lines.length - 1);
}

function isFileError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'code' in error;
}
