import { open, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import type { WrittenExperiment } from '../../experiments/standing/reconcile.ts';
import { isAuditRecord } from '../../experiments/standing/audit-record.ts';
import type { AuditRecord } from '../../experiments/standing/audit-record.ts';
import { readStanding } from '../../experiments/standing/standing.ts';
import type { Standing } from '../../experiments/standing/standing.ts';
import type { SpoolPlace } from '../state/spool-place.ts';

const FILE = 'standings.json';

/** Changes that are kept beside each standing; each costs about a kilobyte at every change. */
const MAX_CHANGES = 8;

/** Where an experiment stood, and the last changes that led there. */
export interface Kept {
  readonly standing: Standing;
  readonly changes: readonly AuditRecord[];
}

/**
 * Keeps on this machine's disk where each experiment stood last, for a start at which the state store can't say: what was rolled back
 * must not come back because a process began while the store was away, or after it had lost everything.
 *
 * Each process writes to its own place, and reads at its start what was kept in any. The file is replaced as a whole, so that a process that dies leaves the old one or the new one.
 */
export class KeptStandings {
  readonly #place: SpoolPlace;
  readonly #log: Logger;
  readonly #kept: Map<string, Kept>;
  #writing: Promise<void> = Promise.resolve();
  #isWaiting = false;
  #fault = '';

  static async open(place: SpoolPlace, log: Logger): Promise<KeptStandings> {
    const folders = [...(place.folder === undefined ? [] : [place.folder]), ...(await place.others())];
    const kept = await Promise.all(folders.map((folder) => read(join(folder, FILE), log)));
    return new KeptStandings(place, log, kept.flat());
  }

  private constructor(place: SpoolPlace, log: Logger, kept: readonly Kept[]) {
    this.#place = place;
    this.#log = log;
    // The version never goes back: of two places the one that has more of it was written later.
    const inOrder = kept.toSorted((a, b) => a.standing.version - b.standing.version);
    this.#kept = new Map(inOrder.map((one) => [one.standing.experiment, one]));
  }

  /** Where an experiment stood last; undefined where that isn't known, or was of another text of its file. */
  of({ experiment, digest }: WrittenExperiment): Kept | undefined {
    const kept = this.#kept.get(experiment.key);
    return kept?.standing.fileDigest === digest ? kept : undefined;
  }

  /** Where an experiment stood last, whatever its file says now. */
  lastOf(key: string): Standing | undefined {
    return this.#kept.get(key)?.standing;
  }

  /** Keeps what is in force now; several changes in a row may be written as one. */
  keep({ standing, changes }: Kept): void {
    this.#kept.set(standing.experiment, { standing, changes: changes.slice(-MAX_CHANGES) });
    if (this.#isWaiting) return;
    this.#isWaiting = true;
    this.#writing = this.#writing.then(() => this.#write());
  }

  /** Resolves when all that was to be kept is on the disk, or could not be put there. */
  async settled(): Promise<void> {
    await this.#writing;
  }

  async #write(): Promise<void> {
    this.#isWaiting = false;
    const text = JSON.stringify([...this.#kept.values()]);
    try {
      const file = join(await this.#place.hold(), FILE);
      const fresh = `${file}.new`;
      const handle = await open(fresh, 'w', 0o600);
      try {
        await handle.writeFile(text);
        await handle.sync();
      } finally {
        await handle.close();
      }
      await rename(fresh, file);
      this.#fault = '';
    } catch (error) {
      const fault = error instanceof Error ? error.message : String(error);
      // Once, not at every change.
      if (fault !== this.#fault)
        this.#log.warn(
          { fault },
          'where the experiments stand can not be kept on this disk; a start while the state store is away would begin with the files',
        );
      this.#fault = fault;
    }
  }
}

async function read(file: string, log: Logger): Promise<readonly Kept[]> {
  try {
    const kept = JSON.parse(await readFile(file, 'utf8')) as unknown;
    if (!Array.isArray(kept)) throw new Error('it has no list');
    return kept.flatMap((entry) => readKept(entry) ?? []);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    const fault = error instanceof Error ? error.message : String(error);
    log.warn({ file, fault }, 'the file of where experiments stood last can not be read, and is left out');
    return [];
  }
}

function readKept(entry: unknown): Kept | undefined {
  if (typeof entry !== 'object' || entry === null || !('standing' in entry)) return undefined;
  const standing = readStanding(entry.standing);
  if (standing === undefined) return undefined;
  const changes: readonly unknown[] = 'changes' in entry && Array.isArray(entry.changes) ? entry.changes : [];
  return { standing, changes: changes.filter(isAuditRecord) };
}
