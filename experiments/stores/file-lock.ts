import { writeFile } from 'node:fs/promises';
import { DatabaseSync } from 'node:sqlite';

/** SQLite's code for a file that somebody else has locked. */
const SQLITE_BUSY = 5;

/**
 * A lock that one process of a machine has at a time, and that dies with it however it dies: the operating system's own lock on an empty
 * file, had by SQLite, as Node has no call for it. The file stays.
 */
export class FileLock {
  readonly #database: DatabaseSync;

  /**
   * @param file its folder has to be there; nobody else may open the file, as a process that closes it loses its locks on it
   * @returns undefined where somebody has it, in this process or in another
   * @throws Error where the file can't be made, or its disk has no locks
   */
  static async acquire(file: string): Promise<FileLock | undefined> {
    await createPrivate(file);
    const database = new DatabaseSync(file);
    try {
      database.exec('PRAGMA busy_timeout = 0');
      // Else there were a second file, for a transaction that writes nothing.
      database.exec('PRAGMA journal_mode = MEMORY');
      database.exec('BEGIN EXCLUSIVE');
      return new FileLock(database);
    } catch (error) {
      database.close();
      if (isBusy(error)) return undefined;
      throw error;
    }
  }

  private constructor(database: DatabaseSync) {
    this.#database = database;
  }

  /** Again has no effect. */
  release(): void {
    if (this.#database.isOpen) this.#database.close();
  }
}

/** Makes an empty file that only its owner may read; one that is there stays as it is. */
export async function createPrivate(file: string): Promise<void> {
  try {
    await writeFile(file, '', { flag: 'wx', mode: 0o600 });
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  }
}

function isBusy(error: unknown): boolean {
  return error instanceof Error && 'errcode' in error && error.errcode === SQLITE_BUSY;
}
