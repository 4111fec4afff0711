import { mkdir, open, readFile, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Logger } from 'pino';
import type { WrittenExperiment } from '../../experiments/standing/reconcile.ts';
import { isAuditRecord } from '../../experiments/standing/audit-record.ts';
import type { AuditRecord } from '../../experiments/standing/audit-record.ts';
import { readStanding } from '../../experiments/standing/standing.ts';
import type { Standing } from '../../experiments/standing/standing.ts';

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
 * The file belongs to one process at a time. It is replaced as a whole, so that a process that dies leaves the old one or the new one.
 */
export class KeptStandings {
  readonly #file: string;
  readonly #log: Logger;
  readonly #kept: Map<string, Kept>;
  #writing: Promise<void> = Promise.resolve();
  #isWaiting = false;
  #fault = '';

  /** @param file an absolute path; its folder is made when it is needed */
  static async open(file: string, log: Logger): Promise<KeptStandings> {
    return new KeptStandings(file, log, await read(file, log));
  }

  private constructor(file: string, log: Logger, kept: readonly Kept[]) {
    this.#file = file;
    this.#log = log;
    this.#kept = new Map(kept.map((one) => [one.standing.experiment, one]));
  }

  /** Where an experiment stood last; undefined where that isn't known, or was of another text of its file. */
  of({ experiment, digest }: WrittenExperiment): Kept | undefined {
    const kept = this.#kept.get(experiment.key);
    return kept?.standing.fileDigest === digest ? kept : undefined;
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
    const fresh = `${this.#file}.new`;
    try {
      await mkdir(dirname(this.#file), { recursive: true });
      const handle = await open(fresh, 'w', 0o600);
      try {
        await handle.writeFile(text);
        await handle.sync();
      } finally {
        await handle.close();
      }
      await rename(fresh, this.#file);
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
