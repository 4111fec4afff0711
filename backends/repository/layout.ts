import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { ModelConfig } from './model-config.ts';
import { foreignModel } from './foreign-models.ts';
import { MAX_FILES, fingerprintOf, listFiles, namesIn, statOf } from './version-files.ts';
import type { VersionFile } from './version-files.ts';

/** What a repository's folder holds. */
export interface RepositoryListing {
  /** By name. */
  readonly folders: readonly ModelFolder[];
  /** Models that stand where no model can: files beside the models' folders, each with what to do. */
  readonly strays: readonly { readonly path: string; readonly reason: string }[];
}

/** A model's folder in a repository, laid out as Triton's: `<model>/<version>/model.onnx`. */
export interface ModelFolder {
  readonly name: string;
  readonly directory: string;
  /** The configuration file's path; undefined where there is none. */
  readonly configFile: string | undefined;
  /** Why the folder as a whole can't be served, if so. */
  readonly fault: string | undefined;
  /** By number, ascending. */
  readonly versions: readonly VersionFolder[];
  /** The files for `model_warmup`. */
  readonly warmup: readonly VersionFile[];
  readonly beside: FilesMark;
  /** Models directly in the folder, where a version's folder is missing around them: what each is, and what to do. */
  readonly misplaced: readonly string[];
}

/** What lies beside a model's versions: its configuration, its labels and its warm-up's data. */
export interface FilesMark {
  /** Changes whenever a file comes, goes or changes. */
  readonly fingerprint: string;
  /** When a file last changed, in milliseconds since 1970 by the file system's clock. */
  readonly newestMs: number;
}

export interface VersionFolder {
  readonly version: number;
  readonly directory: string;
  /** Every file in it, by path. */
  readonly files: readonly VersionFile[];
  /** Changes whenever a file does. */
  readonly fingerprint: string;
}

/** Where a model has its warm-up's data. */
export const WARMUP = 'warmup';

/** What a configuration may be called. */
export const CONFIG_FILES: readonly string[] = ['config.pbtxt', 'config.yaml'];

/** Names that are safe in a path, a header and a metric label. */
export const MODEL_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;

/**
 * Lists a repository's folder. It waits for the disk where it is called, so on a thread that nobody waits for.
 *
 * @throws Error when the repository's folder can't be read
 */
export function scanRepository(root: string): RepositoryListing {
  const folders: ModelFolder[] = [];
  const strays: { readonly path: string; readonly reason: string }[] = [];
  for (const name of readdirSync(root).sort()) {
    if (name.startsWith('.')) continue;
    const folder = scanModel(root, name);
    if (folder !== undefined) {
      folders.push(folder);
      continue;
    }
    const reason = misplacedModel(name);
    if (reason !== undefined) strays.push({ path: join(root, name), reason });
  }
  return { folders, strays };
}

function scanModel(root: string, name: string): ModelFolder | undefined {
  const directory = join(root, name);
  if (statOf(directory)?.isDirectory() !== true) return undefined;
  const entries = [...namesIn(directory)].sort();
  const isVersion = (entry: string): boolean => /^[1-9][0-9]{0,14}$/.test(entry);
  const versions = entries
    .filter(isVersion)
    .map((entry) => scanVersion(directory, entry))
    .filter((version) => version !== undefined)
    .sort((a, b) => a.version - b.version);
  const configs = entries.filter((entry) => CONFIG_FILES.includes(entry));
  const [config] = configs;
  const warmup = entries.includes(WARMUP) ? listFiles(join(directory, WARMUP)) : [];
  return {
    name,
    directory,
    configFile: config === undefined ? undefined : join(directory, config),
    fault: faultOf(name, configs),
    versions,
    warmup,
    beside: markOf(
      directory,
      entries.filter((entry) => !entry.startsWith('.') && !isVersion(entry)),
      warmup,
    ),
    misplaced: entries.map(misplacedModel).filter((reason) => reason !== undefined),
  };
}

function markOf(directory: string, entries: readonly string[], warmup: readonly VersionFile[]): FilesMark {
  let newestMs = 0;
  const marks = entries.map((entry) => {
    const stats = statOf(join(directory, entry));
    newestMs = Math.max(newestMs, Number(stats?.ctimeMs ?? 0));
    return [entry, stats && `${stats.size}-${stats.mtimeNs}-${stats.ctimeNs}-${stats.ino}`];
  });
  return { fingerprint: JSON.stringify([marks, warmup]), newestMs };
}

function faultOf(name: string, configs: readonly string[]): string | undefined {
  if (!MODEL_NAME.test(name)) {
    return `the folder's name can't be a model's: letters, digits, ".", "_" and "-", 63 characters at most`;
  }
  if (configs.length > 1) return 'there are a config.yaml and a config.pbtxt; expected one of the two';
  return undefined;
}

function misplacedModel(name: string): string | undefined {
  if (name.endsWith('.onnx')) return `${name} stands in no version's folder; expected MODEL/1/model.onnx`;
  return foreignModel(name);
}

function scanVersion(parent: string, entry: string): VersionFolder | undefined {
  const directory = join(parent, entry);
  if (statOf(directory)?.isDirectory() !== true) return undefined;
  const files = listFiles(directory);
  return { version: Number(entry), directory, files, fingerprint: fingerprintOf(files) };
}

/**
 * Why a version's files can't be loaded; undefined where its model is there.
 *
 * @param config says which file the model is, where ONNX Runtime runs it; others need none
 */
export function versionFault(
  folder: VersionFolder,
  { backend, modelFilename: filename }: Pick<ModelConfig, 'backend' | 'modelFilename'>,
): string | undefined {
  if (folder.files.length > MAX_FILES) {
    return `${folder.directory} has more than ${MAX_FILES} files; expected a model and its weights`;
  }
  if (backend.kind !== 'onnxruntime') return undefined;
  const foreign = foreignModel(filename);
  if (foreign !== undefined) return foreign;
  if (folder.files.some(({ path }) => path === filename)) return undefined;
  const tops = new Set(folder.files.map(({ path }) => path.split('/')[0] ?? path));
  const found = [...tops].map(foreignModel).filter((reason) => reason !== undefined);
  if (found.length > 0) return found.join('; ');
  return `there is no file ${join(folder.directory, filename)}; expected an ONNX model of that name`;
}
