import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { linkedFile } from '../../documents/linked-file.ts';
import { MODEL_NAME } from '../repository/layout.ts';
import { makeIncomingFolder, notePlaced } from './incoming-folder.ts';
import type { Offer } from './offer.ts';
import { RegistrationError } from './registration-error.ts';
import { requireSettings, settingsOf, writeSettings } from './settings-files.ts';
import type { WishedSettings } from './settings-files.ts';

/** What whoever registers a model wants it to be. */
export interface WishedModel extends WishedSettings {
  readonly name: string;
}

/** A version that was put into a repository, and can be taken away again. */
export interface PlacedVersion {
  readonly name: string;
  readonly version: number;
  /** Whether the model itself came with it. */
  readonly isNewModel: boolean;
  /** Takes away what was put there. */
  readonly remove: () => Promise<void>;
  /** To be called when it is loaded, or removed: until then it is taken away at the next start, as what crashes the process would. */
  readonly settle: () => Promise<void>;
}

/**
 * Puts a model into a repository. It is written under a hidden name, which no look at the repository sees, and gets its own name when it is
 * whole; where anything fails, nothing is left of it.
 *
 * @param root the repository's folder for a new model
 * @param roots all of its folders
 * @throws RegistrationError
 */
export async function placeModel(
  root: string,
  roots: readonly string[],
  offer: Offer,
  wished: WishedModel,
): Promise<PlacedVersion> {
  const { name } = wished;
  if (!MODEL_NAME.test(name)) {
    throw new RegistrationError(
      'invalid',
      `the model's name is ${JSON.stringify(name.slice(0, 100))}; expected letters, digits, ".", "_" and "-", 63 characters at most (model_name)`,
    );
  }
  const home = await homeOf(roots, name);
  const present = home === undefined ? [] : await versionsIn(home);
  const settings = settingsOf(offer, wished);
  if (home !== undefined) await requireSettings(home, name, settings);
  const version = offer.version ?? Math.max(0, ...present) + 1;
  // A model's folder may be a link to another disk, and nothing is renamed from one disk to another.
  const parent = home === undefined ? root : dirname(await linkedFile(home));
  const incoming = await makeIncomingFolder(parent);
  const settle = (): Promise<void> => rm(incoming, { recursive: true, force: true });
  try {
    const model = join(incoming, 'model');
    const folder = join(model, String(version));
    await mkdir(folder, { recursive: true });
    await offer.write(folder);
    if (home === undefined) await writeSettings(model, settings);
    const [from, to] =
      home === undefined ? [model, join(parent, name)] : [folder, join(home, String(version))];
    if (await exists(to)) throw alreadyThere(name, version);
    await rename(from, to).catch((cause: unknown) => {
      // Somebody else was quicker.
      throw isTaken(cause) ? alreadyThere(name, version) : cause;
    });
    const remove = (): Promise<void> => rm(to, { recursive: true, force: true });
    try {
      await notePlaced(incoming, home === undefined ? name : `${name}/${version}`);
    } catch (error) {
      await remove();
      throw error;
    }
    return { name, version, isNewModel: home === undefined, remove, settle };
  } catch (error) {
    await settle();
    throw error;
  }
}

/** The folder that the model has already, in whichever repository. */
async function homeOf(roots: readonly string[], name: string): Promise<string | undefined> {
  for (const root of roots) {
    const folder = join(root, name);
    if (await exists(folder)) return folder;
  }
  return undefined;
}

async function versionsIn(folder: string): Promise<readonly number[]> {
  const names = await readdir(folder);
  return names.filter((name) => /^[1-9][0-9]{0,14}$/.test(name)).map(Number);
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}

function isTaken(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOTEMPTY' || error.code === 'EEXIST');
}

function alreadyThere(name: string, version: number): RegistrationError {
  return new RegistrationError(
    'exists',
    `model '${name}' has a version ${version} already; give this one another number`,
  );
}
