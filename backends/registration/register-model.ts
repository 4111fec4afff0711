import type { ModelRepository } from '../repository/repository.ts';
import { RepositoryError } from '../repository/repository-error.ts';
import { findFile } from './find-file.ts';
import type { FoundFile } from './find-file.ts';
import type { Offer } from './offer.ts';
import { onnxFile } from './onnx-file.ts';
import { placeModel } from './place-model.ts';
import type { PlacedVersion } from './place-model.ts';
import { RegistrationError, refused } from './registration-error.ts';
import type { WishedSettings } from './settings-files.ts';
import { readTorchArchive } from './torch-archive.ts';
import { ZipArchive } from './zip-archive.ts';

export interface Registration extends WishedSettings {
  /** The path of a file in the repository's folders, or a file that is there for the moment: an ONNX model, or a `.mar` of TorchServe's that holds one. */
  readonly from: string | FoundFile;
  /** Undefined: what the file calls it. */
  readonly name: string | undefined;
  /** In the place of the handler that an archive names. */
  readonly handler: string | undefined;
}

/** A model that stands in the repository, and is being loaded. */
export interface Registered {
  readonly name: string;
  readonly version: number;
  /** What of the file has no effect. */
  readonly notes: readonly string[];
  /**
   * Resolves when it takes traffic.
   *
   * @throws RegistrationError `failed` where it can't be loaded; then nothing is left of it in the repository
   */
  readonly loaded: Promise<void>;
}

/**
 * Takes a file of the repository's folders as a version of a model: `<model>/<version>/model.onnx`, beside what there is of the model.
 *
 * @param roots the repository's folders
 * @returns when its files are in place
 * @throws RegistrationError; then nothing has changed
 */
export async function registerModel(
  repository: ModelRepository,
  roots: readonly string[],
  { from, name, handler, ...settings }: Registration,
): Promise<Registered> {
  requireRegistering(repository);
  const file = typeof from === 'string' ? await findFile(roots, from) : from;
  const { archive, offer } = await open(file, handler);
  try {
    const wished = { ...settings, name: name ?? offer.modelName };
    const placed = await placeModel(file.root, roots, offer, wished).catch((cause: unknown) => {
      throw cause instanceof RegistrationError ? cause : unwritable(cause);
    });
    return {
      name: placed.name,
      version: placed.version,
      notes: offer.notes,
      loaded: load(repository, placed),
    };
  } finally {
    archive?.close();
  }
}

/** @throws RegistrationError where control leaves nothing to requests */
export function requireRegistering({ control }: ModelRepository): void {
  if (control !== 'none') return;
  throw new RegistrationError(
    'not_allowed',
    'models.control is none: what is loaded is what was there at the start; set it to poll or explicit',
  );
}

interface OpenFile {
  readonly offer: Offer;
  readonly archive: ZipArchive | undefined;
}

async function open(file: FoundFile, handler: string | undefined): Promise<OpenFile> {
  const { path, name } = file;
  if (name.endsWith('.onnx')) return { offer: onnxFile(file), archive: undefined };
  if (!name.endsWith('.mar'))
    throw refused(
      `${JSON.stringify(name.slice(0, 200))} is neither an ONNX model (.onnx) nor an archive of TorchServe's (.mar)`,
    );
  const archive = await ZipArchive.open(path, name);
  try {
    return { offer: await readTorchArchive(archive, name, handler), archive };
  } catch (error) {
    archive.close();
    throw error;
  }
}

async function load(repository: ModelRepository, placed: PlacedVersion): Promise<void> {
  try {
    await loadOrRemove(repository, placed);
  } finally {
    await placed.settle();
  }
}

async function loadOrRemove(
  repository: ModelRepository,
  { name, version, isNewModel, remove }: PlacedVersion,
): Promise<void> {
  let reason: string | undefined;
  try {
    await repository.loadPlaced(name);
  } catch (error) {
    if (!(error instanceof RepositoryError)) throw error;
    reason = error.message;
  }
  // What is wrong with the model's other versions was so before.
  if (repository.model(name)?.version(version) !== undefined) return;
  await remove();
  await repository.withdraw(name, isNewModel);
  throw new RegistrationError('failed', reason ?? `failed to load '${name}' version ${version}`);
}

function unwritable(cause: unknown): RegistrationError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new RegistrationError('failed', `the model repository can't be written: ${reason}`, { cause });
}
