import { appendFile, readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, test } from 'vitest';
import { backupRedis, restoreRedis } from '../../../../experiments/stores/backup/redis-backup.ts';
import { backupSqlite, restoreSqlite } from '../../../../experiments/stores/backup/sqlite-backup.ts';
import { RedisStore } from '../../../../experiments/stores/redis-store.ts';
import { SqliteStore } from '../../../../experiments/stores/sqlite-store.ts';
import type { StateStore } from '../../../../experiments/stores/state-store.ts';
import { temporaryFolder } from '../../../models/temporary-folder.ts';
import { eventually } from '../../../gateway/running-gateway.ts';
import { findRedis, startRedis } from '../../../servers/redis-server.ts';
import { METRICS, START_MS, batch, exposure, newExperiment, outcome } from '../samples.ts';

interface Load {
  /** Ends it; returns how many units it recorded. */
  stop(): Promise<number>;
  readonly recorded: number;
}

/**
 * Records units with an outcome each, one after the other: at every moment there are as many outcomes as units, or one less.
 */
function underLoad(store: StateStore, experiment: string): Load {
  const stopping = new AbortController();
  let recorded = 0;
  const loop = (async () => {
    while (!stopping.signal.aborted) {
      const uid = (recorded + 1).toString(16).padStart(16, '0');
      await store.recordExposures(batch(experiment, exposure(experiment, { unit: uid, uid })));
      await store.recordOutcomes([outcome(experiment, { unit: uid, uid })]);
      recorded += 1;
    }
  })();
  return {
    async stop() {
      stopping.abort();
      await loop;
      return recorded;
    },
    get recorded() {
      return recorded;
    },
  };
}

/** Units, and units that have an outcome. */
async function counted(store: StateStore, experiment: string): Promise<readonly [number, number]> {
  const { epochs } = await store.tallies(experiment, 1, METRICS, START_MS);
  const variants = epochs.flatMap((epoch) => Object.values(epoch.variants));
  const units = variants.reduce((sum, variant) => sum + variant.units, 0);
  const outcomes = variants.reduce((sum, { metrics }) => sum + (metrics.correct?.units ?? 0), 0);
  return [units, outcomes];
}

/** What a copy has to be that was made between two moments of a load. */
async function expectOneMoment(
  store: StateStore,
  experiment: string,
  before: number,
  after: number,
): Promise<void> {
  const [units, outcomes] = await counted(store, experiment);
  expect(units).toBeGreaterThanOrEqual(before);
  expect(units).toBeLessThanOrEqual(after + 1);
  expect([0, 1]).toContain(units - outcomes);
}

describe('a backup of the state in SQLite', () => {
  test('is the state of one moment, made while it is written to, and restores it', async () => {
    await using folder = await temporaryFolder({});
    const file = (name: string): string => join(folder.path, name);
    const experiment = newExperiment();
    const store = await SqliteStore.open(file('state.db'));
    await store.writeDocument('secret', 'kept', 0);
    const load = underLoad(store, experiment);
    await eventually(() => load.recorded > 50);
    const before = load.recorded;
    await backupSqlite(file('state.db'), file('copy.db'));
    const after = load.recorded;
    await eventually(() => load.recorded > after + 20);
    await load.stop();

    await expect(restoreSqlite(file('copy.db'), file('state.db'), false)).rejects.toThrow('is there already');
    await expect(restoreSqlite(file('copy.db'), file('state.db'), true)).rejects.toThrow('is in use');
    await store.close();
    await restoreSqlite(file('copy.db'), file('state.db'), true);
    const restored = await SqliteStore.open(file('state.db'));
    await expectOneMoment(restored, experiment, before, after);
    expect(await restored.readDocument('secret')).toEqual({ version: 1, value: 'kept' });
    await restored.close();
  });

  test('that is damaged, of a newer release, or something else is refused, and nothing is touched', async () => {
    await using folder = await temporaryFolder({ 'text.db': 'no database' });
    const file = (name: string): string => join(folder.path, name);
    await (await SqliteStore.open(file('state.db'))).close();
    await backupSqlite(file('state.db'), file('copy.db'));
    await writeFile(file('cut.db'), await readFile(file('copy.db')));
    await truncate(file('cut.db'), 8192);
    await writeFile(file('newer.db'), await readFile(file('copy.db')));
    const newer = new DatabaseSync(file('newer.db'));
    newer.exec('PRAGMA user_version = 99');
    newer.close();
    new DatabaseSync(file('foreign.db')).close();
    for (const [name, message] of [
      ['text.db', 'is not a whole database'],
      ['cut.db', 'is not a whole database'],
      ['newer.db', 'was made by a newer release (its tables have version 99'],
      ['foreign.db', 'is no backup of a state'],
      ['missing.db', 'is not there'],
    ] as const) {
      await expect(restoreSqlite(file(name), file('target.db'), false), name).rejects.toThrow(message);
    }
    await expect(readFile(file('target.db'))).rejects.toThrow('ENOENT');
    await expect(backupSqlite(file('state.db'), file('copy.db'))).rejects.toThrow('is there already');
    await expect(backupSqlite(file('nothing.db'), file('b.db'))).rejects.toThrow('is not there');
  });
});

const found = await findRedis();

describe.skipIf(found.kind === 'missing')('a backup of the state in Redis', () => {
  test('is the state of one moment, made while it is written to, and restores it into an empty server', async () => {
    await using folder = await temporaryFolder({});
    const copy = join(folder.path, 'copy.jsonl');
    const program = found.kind === 'found' ? found.program : '';
    await using redis = await startRedis(program);
    await using other = await startRedis(program);
    const open = async (url: string): Promise<RedisStore> => {
      const store = new RedisStore(url);
      expect(await store.ready(10_000)).toBe(true);
      return store;
    };
    const experiment = newExperiment();
    const store = await open(redis.url);
    await store.writeDocument('secret', 'kept', 0);
    const load = underLoad(store, experiment);
    await eventually(() => load.recorded > 50);
    const before = load.recorded;
    const keys = await backupRedis(redis.url, copy);
    const after = load.recorded;
    await load.stop();
    await store.close();

    expect(await restoreRedis(copy, other.url, false)).toBe(keys);
    const restored = await open(other.url);
    await expectOneMoment(restored, experiment, before, after);
    expect(await restored.readDocument('secret')).toEqual({ version: 1, value: 'kept' });
    await expect(restoreRedis(copy, other.url, false)).rejects.toThrow('there is a state already');
    await restored.writeDocument('later', 1, 0);
    await restoreRedis(copy, other.url, true);
    expect(await restored.readDocument('later')).toBeUndefined();
    await restored.close();
  });

  test('that breaks off or is none is refused before anything is written', async () => {
    await using folder = await temporaryFolder({ 'none.jsonl': '{"some":"thing"}\n' });
    const file = (name: string): string => join(folder.path, name);
    await using redis = await startRedis(found.kind === 'found' ? found.program : '');
    await backupRedis(redis.url, file('copy.jsonl'));
    const lines = (await readFile(file('copy.jsonl'), 'utf8')).trimEnd().split('\n');
    await appendFile(file('cut.jsonl'), `${lines.slice(0, -1).join('\n')}\n`);
    await expect(restoreRedis(file('cut.jsonl'), redis.url, false)).rejects.toThrow('breaks off');
    await expect(restoreRedis(file('none.jsonl'), redis.url, false)).rejects.toThrow('is no backup');
  });
});
