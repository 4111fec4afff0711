import type { ModelFolder, RepositoryListing, VersionFolder } from './layout.ts';
import { readSettings } from './model-settings.ts';
import type { ConfigOverride, ModelSettings } from './model-settings.ts';
import { selectVersions } from './version-policy.ts';

/** A model as one look at the repositories saw it. */
export interface ModelLook {
  readonly folder: ModelFolder;
  readonly settings: ModelSettings;
  /** What the settings were read of, beside the folder; undefined: its own file. */
  readonly override: string | undefined;
  /** Whether a file beside the versions had changed so shortly before that a further change might not show. */
  readonly isFresh: boolean;
}

/** What one look at the repositories saw. */
export interface Look {
  /** By the models' names, in their order. */
  readonly models: ReadonlyMap<string, ModelLook>;
  readonly strays: RepositoryListing['strays'];
}

/**
 * Reads what the repositories' folders say. A model that stands in two of them has a fault that names both: which one was meant
 * can't be told.
 *
 * @param before the look before: what of it can't have changed is taken over
 * @param nowMs milliseconds since 1970
 */
export async function lookAt(
  listings: readonly RepositoryListing[],
  overrideOf: (model: string) => ConfigOverride | undefined = () => undefined,
  before: Look = NOTHING_SEEN,
  nowMs = Date.now(),
): Promise<Look> {
  const byName = Map.groupBy(
    listings.flatMap(({ folders }) => folders),
    (folder) => folder.name,
  );
  const looks = new Map<string, ModelLook>();
  const reading: Promise<void>[] = [];
  for (const [name, folders] of byName) {
    const folder = onlyOf(folders);
    const override = overrideOf(name);
    const earlier = before.models.get(name);
    if (earlier !== undefined && saysTheSame(earlier, folder, override)) {
      looks.set(name, earlier.folder === folder ? earlier : { ...earlier, folder });
      continue;
    }
    reading.push(
      readSettings(folder, override).then((settings) => {
        const isFresh = nowMs - folder.beside.newestMs < FRESH_MS;
        looks.set(name, { folder, settings, override: override?.text, isFresh });
      }),
    );
  }
  await Promise.all(reading);
  return { models: inOrder(looks), strays: listings.flatMap(({ strays }) => strays) };
}

/**
 * A file that changed this short before it was read is read again at the next look: file systems tell times in ticks, and a change within
 * the same tick would not show.
 */
const FRESH_MS = 2000;

export const NOTHING_SEEN: Look = { models: new Map(), strays: [] };

/** Whether a model's settings need not be read again; what could not be read is tried again. */
function saysTheSame(
  { folder: before, settings, override: written, isFresh }: ModelLook,
  folder: ModelFolder,
  override: ConfigOverride | undefined,
): boolean {
  if (settings.kind === 'refused' || isFresh || override?.text !== written) return false;
  if (folder === before) return true;
  if (folder.directory !== before.directory || folder.fault !== before.fault) return false;
  if (folder.beside.fingerprint !== before.beside.fingerprint) return false;
  // The versions of an ensemble may have steps of their own.
  return settings.config.backend.kind !== 'ensemble';
}

function inOrder(looks: ReadonlyMap<string, ModelLook>): ReadonlyMap<string, ModelLook> {
  return new Map([...looks].sort(([one], [other]) => (one < other ? -1 : 1)));
}

function onlyOf(folders: readonly ModelFolder[]): ModelFolder {
  const [first, ...others] = folders;
  if (first === undefined) throw new Error('a group has at least one folder');
  if (others.length === 0) return first;
  const places = folders.map(({ directory }) => directory).join(' and ');
  const fault = `stands in several repositories, ${places}; expected it in one of them`;
  const versions = new Map(
    folders.flatMap((folder) => folder.versions.map((version) => [version.version, version])),
  );
  return { ...first, fault, versions: [...versions.values()].sort((a, b) => a.version - b.version) };
}

/**
 * The versions that a model's policy wants of those that are there, ascending; a configuration that can't be read wants them all.
 * A version that the policy names and that isn't there is among them.
 */
export function wantedVersions({ folder, settings }: ModelLook): readonly number[] {
  const present = folder.versions.map(({ version }) => version);
  return settings.kind === 'read' ? selectVersions(settings.config.versionPolicy, present) : present;
}

/** Why a model without a version can't be served. */
export function reasonOfNoVersion({ folder }: ModelLook): string {
  const misplaced = folder.misplaced.length > 0 ? `; ${folder.misplaced.join('; ')}` : '';
  return `has no version: expected a folder named 1 with a model.onnx${misplaced}`;
}

/** What of a look held still: a copy that is under way is none of it. */
export interface Settled {
  /** Undefined while the configuration changes: the model is then left as it is. */
  readonly settings: ModelSettings | undefined;
  readonly versions: readonly VersionFolder[];
  /** Versions that came, changed or went since the look before. */
  readonly moving: ReadonlySet<number>;
}

/**
 * What two looks in a row saw alike.
 *
 * @param before undefined: the model was not there
 * @param now undefined: the model is not there any more
 */
export function settledBetween(before: ModelLook | undefined, now: ModelLook | undefined): Settled {
  const fingerprints = (look: ModelLook | undefined): ReadonlyMap<number, string> =>
    new Map(look?.folder.versions.map(({ version, fingerprint }) => [version, fingerprint]));
  const [earlier, later] = [fingerprints(before), fingerprints(now)];
  const versions = new Set([...earlier.keys(), ...later.keys()]);
  const moving = new Set([...versions].filter((version) => earlier.get(version) !== later.get(version)));
  const isStill = before?.settings.fingerprint === now?.settings.fingerprint;
  return {
    settings: isStill ? now?.settings : undefined,
    versions: now?.folder.versions.filter(({ version }) => !moving.has(version)) ?? [],
    moving,
  };
}

/** All of a look, where nobody has to wait for a second one: at the start, and when a person asks. */
export function settledAtOnce({ folder, settings }: ModelLook): Settled {
  return { settings, versions: folder.versions, moving: new Set() };
}
