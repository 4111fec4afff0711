import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';

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
}

export interface VersionFolder {
  readonly version: number;
  /** Where its `model.onnx` is, or should be. */
  readonly modelFile: string;
  /** Changes whenever the file does: its size, its time and its inode; undefined where there is no file. */
  readonly fingerprint: string | undefined;
}

/** Names that are safe in a path, a header and a metric label. */
const MODEL_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;

/** @throws Error when the repository's folder can't be read */
export async function scanRepository(root: string): Promise<readonly ModelFolder[]> {
  const names = await readdir(root);
  const folders = await Promise.all(
    names
      .filter((name) => !name.startsWith('.'))
      .sort()
      .map((name) => scanModel(root, name)),
  );
  return folders.filter((folder) => folder !== undefined);
}

async function scanModel(root: string, name: string): Promise<ModelFolder | undefined> {
  const directory = join(root, name);
  if ((await stat(directory).catch(() => undefined))?.isDirectory() !== true) return undefined;
  // A folder may vanish, or be closed to us, between two looks: that is its own affair, not the others'.
  const entries = await readdir(directory).catch((): readonly string[] => []);
  const versions = await Promise.all(
    entries.filter((entry) => /^[1-9][0-9]{0,14}$/.test(entry)).map((entry) => scanVersion(directory, entry)),
  );
  const configs = entries.filter((entry) => ['config.yaml', 'config.pbtxt'].includes(entry));
  return {
    name,
    directory,
    configFile: configs.includes('config.yaml') ? join(directory, 'config.yaml') : undefined,
    fault: faultOf(name, configs),
    versions: versions.filter((version) => version !== undefined).sort((a, b) => a.version - b.version),
  };
}

function faultOf(name: string, configs: readonly string[]): string | undefined {
  if (!MODEL_NAME.test(name)) {
    return `the folder's name can't be a model's: letters, digits, ".", "_" and "-", 63 characters at most`;
  }
  if (configs.length > 1) return 'there are a config.yaml and a config.pbtxt; expected one of the two';
  if (configs.includes('config.pbtxt')) {
    return 'config.pbtxt is not read by this release; write the same fields, with the same names, into a config.yaml';
  }
  return undefined;
}

async function scanVersion(directory: string, entry: string): Promise<VersionFolder | undefined> {
  const folder = join(directory, entry);
  if ((await stat(folder).catch(() => undefined))?.isDirectory() !== true) return undefined;
  const modelFile = join(folder, 'model.onnx');
  const file = await stat(modelFile, { bigint: true }).catch(() => undefined);
  const fingerprint = file?.isFile() === true ? `${file.size}-${file.mtimeNs}-${file.ino}` : undefined;
  return { version: Number(entry), modelFile, fingerprint };
}
