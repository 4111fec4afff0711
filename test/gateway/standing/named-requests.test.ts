import { pino } from 'pino';
import { beforeEach, expect, test } from 'vitest';
import { assembleExperiments } from '../../../experiments/experiment-set.ts';
import { carryOut } from '../../../experiments/standing/command.ts';
import type { WrittenExperiment } from '../../../experiments/standing/reconcile.ts';
import { MemoryStore } from '../../../experiments/stores/memory/memory-store.ts';
import { StandingBook } from '../../../gateway/standing/standing-book.ts';
import type { Changed } from '../../../gateway/standing/standing-change.ts';
import { BY_HAND, written } from '../../experiments/standing/samples.ts';

const FILE = written();
const KEY = FILE.experiment.key;

type Action = 'pause' | 'resume' | 'rollback';

let store: MemoryStore;

/** A replica's book, whose file can be edited. */
async function replica() {
  const files = { written: [FILE], current: assembleExperiments([FILE.experiment]).set };
  const book = await StandingBook.open({ store, files, log: pino({ level: 'silent' }) });
  return {
    book,
    edit: (file: WrittenExperiment): Promise<void> => {
      files.written = [file];
      return book.takeFiles();
    },
    ask: (action: Action, key?: string, digest = `all of ${action}`): Promise<Changed> =>
      book.change(KEY, (situation) => carryOut({ action }, situation, 0), {
        cause: { ...BY_HAND, action },
        request: key === undefined ? undefined : { key, action, digest },
      }),
  };
}

beforeEach(() => {
  store = new MemoryStore();
});

test('a request that one replica took is not taken by another, also where it changed nothing', async () => {
  const [one, other] = [await replica(), await replica()];
  await one.ask('pause');
  expect(await one.ask('pause', 'k1')).toMatchObject({ kind: 'same' });
  await one.ask('resume');
  expect(await other.ask('pause', 'k1')).toMatchObject({ kind: 'same', standing: { version: 3 } });
  expect(await other.ask('rollback', 'k1')).toEqual({ kind: 'key_reused', action: 'pause' });
  expect(other.book.situation(KEY)?.standing.split.status).toBe('running');
});

test('one that changed nothing makes no version and no entry of the audit log', async () => {
  const one = await replica();
  await one.ask('pause');
  const entries = await store.auditLength();
  await one.ask('pause', 'k1');
  expect(one.book.situation(KEY)?.standing.version).toBe(2);
  expect(await store.auditLength()).toBe(entries);
});

test('what was taken is known after the file was edited', async () => {
  const one = await replica();
  await one.ask('pause', 'k1');
  await one.edit({ ...FILE, digest: 'another text' });
  expect(one.book.situation(KEY)?.standing.split.status).toBe('running');
  expect(await one.ask('pause', 'k1')).toMatchObject({ kind: 'same' });
  expect(one.book.situation(KEY)?.standing.split.status).toBe('running');
});

test('a name that was kept without what it asked for stands for whatever comes under it', async () => {
  const one = await replica();
  await one.ask('pause', 'k1');
  const stored = await store.readDocument(`standing:${KEY}`);
  const old = { ...(stored?.value as object), requests: [{ key: 'k1', version: 2 }] };
  await store.writeDocument(`standing:${KEY}`, old, stored?.version ?? 0);
  expect(await (await replica()).ask('rollback', 'k1')).toMatchObject({ kind: 'same' });
});
