import { execFile } from 'node:child_process';
import { chmod, stat, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { backupSqlite, restoreSqlite } from '../../../experiments/stores/backup/sqlite-backup.ts';
import { SqliteStore } from '../../../experiments/stores/sqlite-store.ts';
import { StoreUnavailable } from '../../../experiments/stores/state-store.ts';
import { temporaryFolder } from '../../models/temporary-folder.ts';
import type { TemporaryFolder } from '../../models/temporary-folder.ts';
import { stateStoreContract } from './contract.ts';
import { START_MS, batch, exposure, newExperiment, outcome } from './samples.ts';

describe('the store in a SQLite file', () => {
  let folder: TemporaryFolder;
  beforeAll(async () => {
    folder = await temporaryFolder({ README: 'state' });
  });
  afterAll(() => folder[Symbol.asyncDispose]());
  const file = (name: string): string => join(folder.path, name);

  stateStoreContract(() => SqliteStore.open(file('contract.db')));

  test('has everything after it was closed and opened again', async () => {
    const first = await SqliteStore.open(file('again.db'));
    const name = newExperiment();
    await first.recordExposures(batch(name, exposure(name)));
    await first.recordOutcomes([outcome(name)]);
    await first.writeDocument('secret', 'x', 0);
    const before = await first.tallies(name, 1, [], START_MS);
    await first.close();
    const second = await SqliteStore.open(file('again.db'));
    expect(await second.tallies(name, 1, [], START_MS)).toEqual(before);
    expect(await second.recordOutcomes([outcome(name)])).toEqual(['duplicate']);
    expect(await second.readDocument('secret')).toEqual({ version: 1, value: 'x' });
    await second.close();
  });

  test('is served by one gateway at a time; whoever looks something up beside it may', async () => {
    const first = await SqliteStore.open(file('served.db'), { isServing: true });
    await symlink(file('served.db'), file('by-another-name.db'));
    for (const name of ['served.db', 'by-another-name.db'])
      await expect(SqliteStore.open(file(name), { isServing: true })).rejects.toThrow(
        "is another gateway's, which is running",
      );
    const beside = await SqliteStore.open(file('served.db'));
    await first.writeDocument('told', 1, 0);
    expect(await beside.readDocument('told')).toEqual({ version: 1, value: 1 });
    await backupSqlite(file('served.db'), file('served-copy.db'));
    await beside.close();
    await first.close();
    await (await SqliteStore.open(file('served.db'), { isServing: true })).close();
  });

  test('can be read by its owner only, and so can its copies; what everybody could read is hidden from others', async () => {
    const mode = async (name: string): Promise<string> => ((await stat(file(name))).mode & 0o777).toString(8);
    const store = await SqliteStore.open(file('private.db'));
    await store.writeDocument('secret', 'x', 0);
    expect(await mode('private.db')).toBe('600');
    expect(await mode('private.db-wal')).toBe('600');
    await backupSqlite(file('private.db'), file('private-copy.db'));
    expect(await mode('private-copy.db')).toBe('600');
    await store.close();
    await chmod(file('private-copy.db'), 0o644);
    await restoreSqlite(file('private-copy.db'), file('private.db'), true);
    expect(await mode('private.db')).toBe('600');
    await chmod(file('private.db'), 0o644);
    await (await SqliteStore.open(file('private.db'))).close();
    expect(await mode('private.db')).toBe('640');
  });

  test('answers what was asked before it was closed, and nothing after', async () => {
    const store = await SqliteStore.open(file('closing.db'));
    const name = newExperiment();
    const asked = store.recordOutcomes([outcome(name)]);
    await store.close();
    expect(await asked).toEqual(['accepted']);
    await expect(store.recordOutcomes([outcome(name)])).rejects.toThrow(StoreUnavailable);
  });

  test('refuses a file of a newer release, and one that is no database', async () => {
    const newer = new DatabaseSync(file('newer.db'));
    newer.exec('PRAGMA user_version = 99');
    newer.close();
    await expect(SqliteStore.open(file('newer.db'))).rejects.toThrow('written by a newer release');
    await expect(SqliteStore.open(file('README'))).rejects.toThrow('not a database');
    await expect(SqliteStore.open(file('no/such/folder.db'))).rejects.toThrow("can't be opened");
  });

  test('refuses to serve from a file that it may only read', async () => {
    await (await SqliteStore.open(file('read-only.db'), { isServing: true })).close();
    await chmod(folder.path, 0o755);
    for (const name of ['read-only.db', 'read-only.db-lock']) await chmod(file(name), 0o444);
    // Root may write to everything: it becomes somebody else.
    const script = `
      const { SqliteStore } = await import(${JSON.stringify(import.meta.resolve('../../../experiments/stores/sqlite-store.ts'))});
      if (process.getuid() === 0) process.setuid(65534);
      const opened = SqliteStore.open(${JSON.stringify(file('read-only.db'))}, { isServing: true });
      console.log(await opened.then((store) => store.close().then(() => 'opened'), (error) => error.message));
    `;
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script]);
    expect(stdout).toMatch(/read-only\.db can't be opened: EACCES: permission denied, access/);
  });

  test('a file of the release before it has what it had, and takes what it lacked', async () => {
    const store = await SqliteStore.open(file('older.db'));
    const name = newExperiment();
    await store.recordExposures(batch(name, exposure(name)));
    await store.close();
    const older = new DatabaseSync(file('older.db'));
    older.exec('DROP TABLE mirror; DROP TABLE landed; PRAGMA user_version = 1');
    older.close();
    const upgraded = await SqliteStore.open(file('older.db'));
    await upgraded.recordMirrors({ experiment: name, phase: 1, sums: [], maxima: [] });
    expect(await upgraded.mirrors(name, 1)).toEqual([]);
    expect((await upgraded.tallies(name, 1, [], START_MS)).epochs[0]?.variants.v1?.units).toBe(1);
    await upgraded.close();
  });

  test('a batch that fails half-way leaves nothing behind', async () => {
    const store = await SqliteStore.open(file('half.db'));
    const name = newExperiment();
    const bad = { ...exposure(name, { unit: 'aaaaaaaa00000002' }), atMs: Number.NaN };
    await expect(store.recordExposures(batch(name, exposure(name), bad))).rejects.toThrow(StoreUnavailable);
    expect((await store.tallies(name, 1, [], START_MS)).epochs).toEqual([]);
    await store.recordExposures(batch(name, exposure(name)));
    expect((await store.tallies(name, 1, [], START_MS)).epochs[0]?.variants.v1?.units).toBe(1);
    await store.close();
  });
});
