import { pino } from 'pino';
import { expect, test } from 'vitest';
import { assembleExperiments } from '../../../experiments/experiment-set.ts';
import type { WrittenExperiment } from '../../../experiments/standing/reconcile.ts';
import { MemoryStore } from '../../../experiments/stores/memory/memory-store.ts';
import { settledCounts } from '../../../gateway/standing/settled-counts.ts';
import { StandingBook } from '../../../gateway/standing/standing-book.ts';
import { written } from '../../experiments/standing/samples.ts';
import {
  BOUGHT,
  HOUR_MS,
  REVENUE,
  START_MS,
  batch,
  exposure,
  outcome,
} from '../../experiments/stores/samples.ts';

const LOG = pino({ level: 'silent' });

test('a replica that was not given the new file yet closes no windows: it would leave the new metrics’ values out', async () => {
  const store = new MemoryStore();
  const open = (file: WrittenExperiment): Promise<StandingBook> =>
    StandingBook.open({
      store,
      files: { written: [file], current: assembleExperiments([file.experiment]).set },
      log: LOG,
    });
  const [old, edited] = [written(), written({ coverage: 0.5 })];
  const { key } = old.experiment;
  const behind = await open(old);
  expect(behind.hasOtherFile(key)).toBe(false);
  const current = await open(edited);
  await behind.refresh();
  expect([behind.hasOtherFile(key), current.hasOtherFile(key)]).toEqual([true, false]);

  const windowsMs = [HOUR_MS];
  await store.recordExposures(batch(key, exposure(key, { windowsMs })));
  for (const metric of [REVENUE, BOUGHT]) await store.recordOutcomes([outcome(key, { metric, windowsMs })]);
  const closedMs = START_MS + 2 * HOUR_MS;
  await settledCounts(store, behind).tallies(key, 1, [REVENUE], closedMs);
  const { epochs } = await settledCounts(store, current).tallies(key, 1, [REVENUE, BOUGHT], closedMs);
  const unitsOf = ({ name }: { readonly name: string }): number | undefined =>
    epochs[0]?.variants.v1?.metrics[name]?.units;
  expect([unitsOf(REVENUE), unitsOf(BOUGHT)]).toEqual([1, 1]);
  await Promise.all([behind.close(), current.close()]);
});
