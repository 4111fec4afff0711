import type { DatabaseSync } from 'node:sqlite';

/** The tables' version, kept in the file's `user_version`. */
export const SCHEMA_VERSION = 3;

const TABLES = `
  CREATE TABLE document (key TEXT PRIMARY KEY, version INTEGER NOT NULL, json TEXT NOT NULL) WITHOUT ROWID, STRICT;
  CREATE TABLE claim (key TEXT PRIMARY KEY, expires_ms INTEGER NOT NULL) WITHOUT ROWID, STRICT;
  CREATE INDEX claim_expiry ON claim (expires_ms);
  CREATE TABLE audit (sequence INTEGER PRIMARY KEY AUTOINCREMENT, json TEXT NOT NULL) STRICT;
  CREATE TABLE lease (
    name TEXT PRIMARY KEY, holder TEXT NOT NULL, token INTEGER NOT NULL, expires_ms INTEGER NOT NULL
  ) WITHOUT ROWID, STRICT;
  CREATE TABLE scope (
    id INTEGER PRIMARY KEY, experiment TEXT NOT NULL, phase INTEGER NOT NULL, UNIQUE (experiment, phase)
  ) STRICT;
  CREATE TABLE epoch (
    scope INTEGER NOT NULL, epoch INTEGER NOT NULL, json TEXT NOT NULL, UNIQUE (scope, epoch)
  ) STRICT;
  CREATE TABLE unit (
    scope INTEGER NOT NULL, unit TEXT NOT NULL, json TEXT NOT NULL, PRIMARY KEY (scope, unit)
  ) WITHOUT ROWID, STRICT;
  CREATE TABLE open_window (
    scope INTEGER NOT NULL, closes_ms INTEGER NOT NULL, unit TEXT NOT NULL, window_ms INTEGER NOT NULL,
    PRIMARY KEY (scope, closes_ms, unit, window_ms)
  ) WITHOUT ROWID, STRICT;
  CREATE TABLE tally (
    scope INTEGER NOT NULL, field TEXT NOT NULL, sum REAL NOT NULL, PRIMARY KEY (scope, field)
  ) WITHOUT ROWID, STRICT;
`;

/** What the second version added. */
const MIRROR_TABLE = `
  CREATE TABLE mirror (
    scope INTEGER NOT NULL, field TEXT NOT NULL, value REAL NOT NULL, PRIMARY KEY (scope, field)
  ) WITHOUT ROWID, STRICT;
`;

/** What the third version added: where units of sticky experiments landed, by the hash that splits them. */
const LANDED_TABLE = `
  CREATE TABLE landed (
    scope INTEGER NOT NULL, unit INTEGER NOT NULL, variant TEXT NOT NULL, PRIMARY KEY (scope, unit)
  ) WITHOUT ROWID, STRICT;
`;

/**
 * Makes the tables in an empty file, adds those that an older file lacks, and sets how it is written.
 *
 * Write-ahead log with `synchronous = NORMAL`: a commit is handed to the operating system, and survives the death of the
 * process; a power cut may take the last commits, but leaves the file whole.
 *
 * @throws Error where the file was written by a newer release
 */
export function openSchema(database: DatabaseSync): void {
  database.exec('PRAGMA busy_timeout = 5000');
  database.exec('PRAGMA journal_mode = WAL');
  database.exec('PRAGMA synchronous = NORMAL');
  database.exec('BEGIN IMMEDIATE');
  try {
    const found = Number(database.prepare('PRAGMA user_version').get()?.user_version);
    if (found > SCHEMA_VERSION) {
      throw new Error(
        `it was written by a newer release (its tables have version ${found}, this one knows ${SCHEMA_VERSION}); ` +
          'run that release, or name another file',
      );
    }
    if (found < 1) database.exec(TABLES);
    if (found < 2) database.exec(MIRROR_TABLE);
    if (found < 3) database.exec(LANDED_TABLE);
    if (found < SCHEMA_VERSION) database.exec(`PRAGMA user_version = ${SCHEMA_VERSION}`);
    database.exec('COMMIT');
  } catch (error) {
    database.exec('ROLLBACK');
    throw error;
  }
}
