import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { ModelConfig } from './model-config.ts';
import { foreignModel } from './foreign-models.ts';
import { MAX_FILES, fingerprintOf, listFiles } from './version-files.ts';
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
  /** Models directly in the folder, where a version's folder is missing around them: what each is, and what to do. */
  readonly misplaced: readonly string[];
}

export interface VersionFolder {
  readonly version: number;
  readonly directory: string;
  /** Every file in it, by path. */
  readonly files: readonly VersionFile[];
  /** Changes whenever a file does. */
  readonly fingerprint: string;
}

/** What a configuration may be called. */
export const CONFIG_FILES: readonly string[] = ['config.pbtxt', 'config.yaml'];

/** Names that are safe in a path, a header and a metric label. */
export const MODEL_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;

/** @throws Error when the repository's folder can't be read */
export async function scanRepository(root: string): Promise<RepositoryListing> {
  const names = (await readdir(root)).filter((name) => !name.startsWith('.')).sort();
  const folders = await Promise.all(names.map((name) => scanModel(root, name)));
  const strays = names.flatMap((name, index) => {
    const reason = folders[index] === undefined ? misplacedModel(name) : undefined;
    return reason === undefined ? [] : [{ path: join(root, name), reason }];
  });
  return { folders: folders.filter((folder) => folder !== undefined), strays };
}

async function scanModel(root: string, name: string): Promise<ModelFolder | undefined> {
  const directory = join(root, name);
  if ((await stat(directory).catch(() => undefined))?.isDirectory() !== true) return undefined;
  // A folder may vanish, or be closed to us, between two looks: that is its own affair, not the others'.
  const entries = (await readdir(directory).catch((): string[] => [])).sort();
  const versions = await Promise.all(
    entries.filter((entry) => /^[1-9][0-9]{0,14}$/.test(entry)).map((entry) => scanVersion(directory, entry)),
  );
  const configs = entries.filter((entry) => CONFIG_FILES.includes(entry));
  const [config] = configs;
  return {
    name,
    directory,
    configFile: config === undefined ? undefined : join(directory, config),
    fault: faultOf(name, configs),
    versions: versions.filter((version) => version !== undefined).sort((a, b) => a.version - b.version),
    misplaced: entries.map(misplacedModel).filter((reason) => reason !== undefined),
  };
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

async function scanVersion(parent: string, entry: string): Promise<VersionFolder | undefined> {
  const directory = join(parent, entry);
  if ((await stat(directory).catch(() => undefined))?.isDirectory() !== true) return undefined;
  const files = await listFiles(directory);
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
