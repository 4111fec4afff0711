import { appendFile, lstat, readFile, readdir, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, test } from 'vitest';
import { writeBackup } from '../../../../experiments/stores/backup/backup-file.ts';
import type { BackupPart } from '../../../../experiments/stores/backup/backup-file.ts';
import { backupRedis, restoreRedis } from '../../../../experiments/stores/backup/redis-backup.ts';
import { backupSqlite, restoreSqlite } from '../../../../experiments/stores/backup/sqlite-backup.ts';
import { connectRedis } from '../../../../experiments/stores/redis-connection.ts';
import { RedisStore } from '../../../../experiments/stores/redis-store.ts';
import { SqliteStore } from '../../../../experiments/stores/sqlite-store.ts';
import { StoreUnavailable } from '../../../../experiments/stores/state-store.ts';
import type { StateStore } from '../../../../experiments/stores/state-store.ts';
import { temporaryFolder } from '../../../models/temporary-folder.ts';
import { eventually } from '../../../gateway/running-gateway.ts';
import { findRedis, startRedis } from '../../../servers/redis-server.ts';
import { HOUR_MS, METRICS, START_MS, batch, exposure, newExperiment, outcome } from '../samples.ts';

interface Load {
  /** Ends it; returns how many units it recorded. */
  stop(): Promise<number>;
  readonly recorded: number;
}

/** What is written twice counts once: a call that a busy machine let run into its time limit may be made again. */
async function again<Result>(call: () => Promise<Result>): Promise<Result> {
  for (let tries = 0; ; tries++) {
    try {
      return await call();
    } catch (error) {
      if (!(error instanceof StoreUnavailable) || tries === 20) throw error;
    }
  }
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
      await again(() => store.recordExposures(batch(experiment, exposure(experiment, { unit: uid, uid }))));
      await again(() => store.recordOutcomes([outcome(experiment, { unit: uid, uid })]));
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
  const { epochs } = await again(() => store.tallies(experiment, 1, METRICS, START_MS));
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

  test('goes where a link leads, and the link stays', async () => {
    await using folder = await temporaryFolder({ 'disk/readme': '' });
    const file = (...names: string[]): string => join(folder.path, ...names);
    await symlink(join('disk', 'state.db'), file('state.db'));
    const store = await SqliteStore.open(file('state.db'));
    await store.writeDocument('secret', 'kept', 0);
    await backupSqlite(file('state.db'), file('copy.db'));
    await store.writeDocument('secret', 'later', 1);
    await store.close();
    await restoreSqlite(file('copy.db'), file('state.db'), true);
    expect((await lstat(file('state.db'))).isSymbolicLink()).toBe(true);
    expect(await readdir(file('disk'))).toEqual(['readme', 'state.db']);
    const restored = await SqliteStore.open(file('disk', 'state.db'));
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

async function inParts(
  all: readonly string[],
  call: (part: readonly string[]) => Promise<unknown>,
): Promise<void> {
  for (let at = 0; at < all.length; at += 100) await again(() => call(all.slice(at, at + 100)));
}

async function keysOf(url: string): Promise<readonly string[]> {
  const client = connectRedis(url);
  await eventually(() => client.status === 'ready');
  const keys = await client.keys('*');
  client.disconnect();
  return keys;
}

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

  test('has sums, units, claims and windows that fit each other, whatever is written while it is made', async () => {
    await using folder = await temporaryFolder({});
    const copy = join(folder.path, 'copy.jsonl');
    const program = found.kind === 'found' ? found.program : '';
    await using redis = await startRedis(program);
    await using other = await startRedis(program);
    const experiment = newExperiment();
    const store = new RedisStore(redis.url);
    const restored = new RedisStore(other.url);
    expect(await store.ready(10_000)).toBe(true);
    expect(await restored.ready(10_000)).toBe(true);
    const uids = Array.from({ length: 3000 }, (_, index) => (index + 1).toString(16).padStart(16, '0'));
    const exposeAll = (to: StateStore, some: readonly string[]): Promise<void> =>
      inParts(some, (part) =>
        to.recordExposures(batch(experiment, ...part.map((uid) => exposure(experiment, { unit: uid, uid })))),
      );
    const settleAll = (to: StateStore, some: readonly string[]): Promise<void> =>
      inParts(some, (part) => to.recordOutcomes(part.map((uid) => outcome(experiment, { unit: uid, uid }))));
    const afterWindows = START_MS + 2 * HOUR_MS;
    // Every second unit has been seen, and half of those have their outcome.
    await exposeAll(
      store,
      uids.filter((_, index) => index % 2 === 0),
    );
    await settleAll(
      store,
      uids.filter((_, index) => index % 4 === 0),
    );
    let steps = 0;
    const stopping = new AbortController();
    const load = (async () => {
      for (let round = 0; !stopping.signal.aborted; round++) {
        const some = uids.filter((_, index) => (index * 7919 + round) % 97 === 0);
        await exposeAll(store, some);
        steps += 1;
        await settleAll(store, some);
        steps += 1;
        if (round % 3 === 2) await again(() => store.tallies(experiment, 1, METRICS, afterWindows));
      }
    })();
    await eventually(() => steps > 0);
    const before = steps;
    await backupRedis(redis.url, copy).finally(() => {
      stopping.abort();
    });
    const during = steps - before;
    await load;
    expect(during).toBeGreaterThan(0);
    expect((await keysOf(redis.url)).filter((key) => key.endsWith(':before'))).toEqual([]);
    await store.close();

    await restoreRedis(copy, other.url, false);
    // What the copy has is a duplicate, what it hasn't counts: with either wrong there are too many or too few.
    await exposeAll(restored, uids);
    await settleAll(restored, uids);
    expect(await counted(restored, experiment)).toEqual([uids.length, uids.length]);
    const { epochs } = await again(() => restored.tallies(experiment, 1, METRICS, afterWindows));
    const entered = epochs.map(({ variants }) => variants.v1?.metrics.revenue?.units);
    expect(entered).toEqual([uids.length]);
    await restored.close();
  });

  test('is one at a time, and its file is as large as it is: half a gigabyte is read in pieces', async () => {
    await using folder = await temporaryFolder({});
    await using redis = await startRedis(found.kind === 'found' ? found.program : '');
    const large = join(folder.path, 'large.jsonl');
    await backupRedis(redis.url, large);
    await expect(backupRedis(redis.url, large)).rejects.toThrow('is there already');
    const [head = ''] = (await readFile(large, 'utf8')).split('\n');
    await writeFile(large, `${head}\n`);
    // More than the longest string that JavaScript has.
    const line = `${JSON.stringify({ key: 'signalbox:claim:a', string: 'x'.repeat(4 * 1024 ** 2), ttlMs: -1 })}\n`;
    for (let written = 0; written < 540 * 1024 ** 2; written += line.length) await appendFile(large, line);
    await expect(restoreRedis(large, redis.url, false)).rejects.toThrow('breaks off');
    const store = new RedisStore(redis.url);
    expect(await store.ready(10_000)).toBe(true);
    const experiment = newExperiment();
    await store.recordExposures(batch(experiment, exposure(experiment)));
    const client = connectRedis(redis.url);
    await eventually(() => client.status === 'ready');
    await client.hset(`signalbox:{${experiment}:1}:before`, '', 'of somebody else');
    await expect(backupRedis(redis.url, join(folder.path, 'second.jsonl'))).rejects.toThrow(
      'another backup is under way',
    );
    client.disconnect();
    await store.close();
  });

  test('that breaks off or is none is refused before anything is written', async () => {
    await using folder = await temporaryFolder({ 'none.jsonl': '{"some":"thing"}\n' });
    const file = (name: string): string => join(folder.path, name);
    await using redis = await startRedis(found.kind === 'found' ? found.program : '');
    await backupRedis(redis.url, file('copy.jsonl'));
    const lines = (await readFile(file('copy.jsonl'), 'utf8')).trimEnd().split('\n');
    await appendFile(file('cut.jsonl'), `${lines.slice(0, -1).join('\n')}\n`);
    await expect(restoreRedis(file('cut.jsonl'), redis.url, false)).rejects.toThrow('breaks off');
    const changed = lines.with(1, (lines[1] ?? '').replace('"1"', '"9"'));
    await writeFile(file('changed.jsonl'), `${changed.join('\n')}\n`);
    await expect(restoreRedis(file('changed.jsonl'), redis.url, false)).rejects.toThrow('changed or damaged');
    await expect(restoreRedis(file('none.jsonl'), redis.url, false)).rejects.toThrow('is no backup');
  });

  test("of a newer release's state is not made, and one that such a release made takes nothing away", async () => {
    await using folder = await temporaryFolder({});
    const file = (name: string): string => join(folder.path, name);
    const program = found.kind === 'found' ? found.program : '';
    await using redis = await startRedis(program);
    await using other = await startRedis(program);
    const store = new RedisStore(redis.url);
    expect(await store.ready(10_000)).toBe(true);
    await store.writeDocument('secret', 'kept', 0);
    const client = connectRedis(other.url);
    await eventually(() => client.status === 'ready');
    await client.set('signalbox:{state}:format', '2');
    client.disconnect();
    await expect(backupRedis(other.url, file('newer.jsonl'))).rejects.toThrow(
      'the state in Redis was written by a newer release (its format is 2, this one knows 1); run that release',
    );
    const parts = async function* (): AsyncGenerator<BackupPart> {
      await Promise.resolve();
      yield { key: 'signalbox:{state}:format', string: '2', ttlMs: -1 };
    };
    await writeBackup(file('newer.jsonl'), parts());
    await expect(restoreRedis(file('newer.jsonl'), redis.url, true)).rejects.toThrow(
      'newer.jsonl was written by a newer release (its format is 2, this one knows 1); run that release',
    );
    expect(await store.readDocument('secret')).toEqual({ version: 1, value: 'kept' });
    await store.close();
  });
});
