import { pino } from 'pino';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { assembleExperiments } from '../../../experiments/experiment-set.ts';
import { MemoryStore } from '../../../experiments/stores/memory/memory-store.ts';
import { FolderWatch } from '../../../gateway/reload/folder-watch.ts';
import type { FolderWatchOptions } from '../../../gateway/reload/folder-watch.ts';
import { StandingBook } from '../../../gateway/standing/standing-book.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
});
afterEach(() => {
  vi.useRealTimers();
});

const NO_FILES = { written: [], current: assembleExperiments([]).set };

/** A watch over folders in which nothing changes, and how often each was looked at. */
async function watching(options: Partial<FolderWatchOptions> = {}) {
  const log = pino({ level: 'silent' });
  const models = vi.fn(() => Promise.resolve());
  const experiments = vi.fn<FolderWatchOptions['files']['refresh']>(() =>
    Promise.resolve({ changed: [], refused: [] }),
  );
  const watch = new FolderWatch({
    models: { refresh: models },
    files: { ...NO_FILES, refresh: experiments, misfits: () => [] },
    experiments: await StandingBook.open({ store: new MemoryStore(), files: NO_FILES, log }),
    isShared: false,
    upstreams: { prepare: () => Promise.resolve(), follow: () => Promise.resolve() },
    highestReady: () => undefined,
    sticky: { follow: () => undefined },
    keepAudit: () => Promise.resolve(),
    metrics: { recordReload: () => undefined },
    log,
    ...options,
  });
  watch.start();
  return { watch, looks: () => [models.mock.calls.length, experiments.mock.calls.length] };
}

test('the folders are looked at twice a second, until the watch ends', async () => {
  const { watch, looks } = await watching();
  await vi.advanceTimersByTimeAsync(499);
  expect(looks()).toEqual([0, 0]);
  await vi.advanceTimersByTimeAsync(1);
  expect(looks()).toEqual([1, 1]);
  await vi.advanceTimersByTimeAsync(1500);
  expect(looks()).toEqual([4, 4]);
  await watch.stop();
  await vi.advanceTimersByTimeAsync(5000);
  expect(looks()).toEqual([4, 4]);
});

test('models that take long to load hold up no look at the experiments', async () => {
  const { watch, looks } = await watching({
    models: { refresh: () => new Promise<void>(() => undefined) },
  });
  await vi.advanceTimersByTimeAsync(1500);
  expect(looks()).toEqual([0, 3]);
  await watch.stop();
});

test('a look at the experiments that takes long is waited for before the next', async () => {
  const read = Promise.withResolvers<{ changed: []; refused: [] }>();
  const refresh = vi.fn(() => read.promise);
  const { watch } = await watching({ files: { ...NO_FILES, refresh, misfits: () => [] } });
  await vi.advanceTimersByTimeAsync(5000);
  expect(refresh).toHaveBeenCalledTimes(1);
  read.resolve({ changed: [], refused: [] });
  await vi.advanceTimersByTimeAsync(500);
  expect(refresh).toHaveBeenCalledTimes(2);
  await watch.stop();
});

test('an edit takes effect once its servers were asked, or have had their time', async () => {
  const asked = Promise.withResolvers<undefined>();
  const prepare = vi.fn<FolderWatchOptions['upstreams']['prepare']>(() => asked.promise);
  const follow = vi.fn<FolderWatchOptions['upstreams']['follow']>(() => Promise.resolve());
  const changed = { changed: ['a.yaml'], refused: [] };
  const refresh = vi.fn(() => Promise.resolve(changed));
  const { watch } = await watching({
    files: { ...NO_FILES, refresh, misfits: () => [] },
    upstreams: { prepare, follow },
  });
  await vi.advanceTimersByTimeAsync(500);
  expect(prepare.mock.calls).toEqual([[NO_FILES.current, 750]]);
  expect(follow).not.toHaveBeenCalled();
  asked.resolve(undefined);
  await vi.advanceTimersByTimeAsync(0);
  expect(follow).toHaveBeenCalledTimes(1);
  await watch.stop();
});

test('a variant that doesn’t fit its control any more is told once, where it stands', async () => {
  const log = pino({ level: 'silent' });
  const error = vi.spyOn(log, 'error');
  const misfit: ReturnType<FolderWatchOptions['files']['misfits']>[number] = {
    experiment: 'a',
    variant: { name: 'v2', version: 2, weight: 10 },
    part: 'inputs',
    isFault: true,
    difference: 'takes x',
    message: 'v2 takes x',
    problem: { file: 'a.yaml', line: 7, column: 5, path: 'variants[1]', message: 'v2 takes x' },
  };
  let misfits = [misfit];
  const refresh = () => Promise.resolve({ changed: [], refused: [] });
  const { watch } = await watching({ log, files: { ...NO_FILES, refresh, misfits: () => misfits } });
  await vi.advanceTimersByTimeAsync(1500);
  expect(error.mock.calls).toEqual([
    [
      { experiment: 'a', variant: 'v2', problem: 'a.yaml:7:5: variants[1]: v2 takes x' },
      'a variant can not answer what its control answers',
    ],
  ]);
  misfits = [];
  await vi.advanceTimersByTimeAsync(500);
  misfits = [misfit];
  await vi.advanceTimersByTimeAsync(500);
  expect(error).toHaveBeenCalledTimes(2);
  await watch.stop();
});

test('a repository that can’t be read is told once, and again when it can’t be read in another way', async () => {
  const log = pino({ level: 'silent' });
  const error = vi.spyOn(log, 'error');
  const refresh = vi.fn(() => Promise.reject(new Error('it is gone')));
  const { watch } = await watching({ log, models: { refresh } });
  await vi.advanceTimersByTimeAsync(1500);
  expect(error).toHaveBeenCalledTimes(1);
  refresh.mockImplementation(() => Promise.reject(new Error('it is locked')));
  await vi.advanceTimersByTimeAsync(1000);
  expect(error.mock.calls.map(([told]) => told)).toEqual([
    { fault: 'it is gone' },
    { fault: 'it is locked' },
  ]);
  await watch.stop();
});
