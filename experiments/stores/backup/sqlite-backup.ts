import { access, chmod, copyFile, open, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { DatabaseSync, backup } from 'node:sqlite';
import { linkedFile } from '../../../documents/linked-file.ts';
import { createPrivate } from '../file-lock.ts';
import { SCHEMA_VERSION } from '../sqlite-schema.ts';

/** Copied in one step, so that no write can come in between. */
const ALL_PAGES = 2 ** 31 - 1;

/**
 * Copies the state's file as it is at one moment, while gateways go on writing to it: SQLite's own online backup, in one read
 * transaction.
 *
 * @param file the state's
 * @param target a file that is not there yet
 * @returns the copy's bytes
 * @throws Error where the state's file isn't there or isn't whole, or the target can't be written
 */
export async function backupSqlite(file: string, target: string): Promise<number> {
  await requireFile(file);
  await requireNoFile(target);
  const temporary = temporaryBeside(target);
  try {
    await createPrivate(temporary);
    const source = new DatabaseSync(file, { readOnly: true });
    try {
      source.exec('PRAGMA busy_timeout = 5000');
      await backup(source, temporary, { rate: ALL_PAGES });
    } finally {
      source.close();
    }
    checkWhole(temporary);
    await publish(temporary, target);
  } finally {
    await forget(temporary);
  }
  const handle = await open(target);
  try {
    return (await handle.stat()).size;
  } finally {
    await handle.close();
  }
}

/**
 * Puts a backup in the place of the state's file (the one that links lead to), as a whole; gateways over that file have to be stopped.
 *
 * @param path the state's file
 * @param isForced whether a state that is there may be replaced
 * @throws Error where the backup is none or isn't whole, is of a newer release, or would replace a state; or where the file is in use
 */
export async function restoreSqlite(source: string, path: string, isForced: boolean): Promise<void> {
  await requireFile(source);
  const version = checkWhole(source);
  if (version > SCHEMA_VERSION) {
    throw new Error(
      `${source} was made by a newer release (its tables have version ${version}, this one knows ${SCHEMA_VERSION}); run that release`,
    );
  }
  if (version === 0) throw new Error(`${source} is no backup of a state: it has no tables of this gateway`);
  const file = await linkedFile(path);
  if (await exists(file)) {
    if (!isForced) throw new Error(`${file} is there already; with --force it is replaced`);
    requireUnused(file);
  }
  const temporary = temporaryBeside(file);
  try {
    await createPrivate(temporary);
    await copyFile(source, temporary);
    await chmod(temporary, 0o600);
    // What is left in the old file's log is not to be read into the new one.
    await Promise.all([rm(`${file}-wal`, { force: true }), rm(`${file}-shm`, { force: true })]);
    await publish(temporary, file);
  } finally {
    await forget(temporary);
  }
}

/** @returns the version of its tables */
function checkWhole(file: string): number {
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(file, { readOnly: true });
    const verdict = database.prepare('PRAGMA integrity_check').get()?.integrity_check;
    if (verdict !== 'ok') throw new Error(String(verdict));
    return Number(database.prepare('PRAGMA user_version').get()?.user_version);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`${file} is not a whole database: ${reason}`, { cause });
  } finally {
    database?.close();
  }
}

/** Whoever has the file open holds a lock that this one can't be had beside. */
function requireUnused(file: string): void {
  const database = new DatabaseSync(file);
  try {
    database.exec('PRAGMA busy_timeout = 0');
    database.exec('PRAGMA locking_mode = EXCLUSIVE');
    database.exec('BEGIN EXCLUSIVE');
    database.exec('ROLLBACK');
  } catch (cause) {
    throw new Error(`${file} is in use; stop the gateway that has it open first`, { cause });
  } finally {
    database.close();
  }
}

function temporaryBeside(file: string): string {
  return join(dirname(file), `.${process.pid}-${Date.now()}.signalbox.tmp`);
}

/** Renames a file to its place when it is on the disk. */
async function publish(temporary: string, target: string): Promise<void> {
  const handle = await open(temporary, 'r+');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(temporary, target);
}

async function forget(temporary: string): Promise<void> {
  for (const suffix of ['', '-wal', '-shm', '-journal']) await rm(`${temporary}${suffix}`, { force: true });
}

async function requireFile(file: string): Promise<void> {
  if (!(await exists(file))) throw new Error(`${file} is not there`);
}

async function requireNoFile(file: string): Promise<void> {
  if (await exists(file)) throw new Error(`${file} is there already; name another file`);
}

function exists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}
