import { readFile, readdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import type { Servable } from '../../../backends/servable.ts';
import { PredictionIds } from '../../../experiments/prediction-id.ts';
import { MemoryStore } from '../../../experiments/stores/memory/memory-store.ts';
import { StoreUnavailable } from '../../../experiments/stores/state-store.ts';
import type { Exposure, ExposureSink } from '../../../gateway/exposures/exposure.ts';
import { LineSink } from '../../../gateway/exposures/line-sink.ts';
import type { LineTarget } from '../../../gateway/exposures/line-sink.ts';
import { ExposureRecorder } from '../../../gateway/exposures/recorder.ts';
import { RecentlySeen } from '../../../gateway/exposures/recently-seen.ts';
import { RotatingFile } from '../../../gateway/exposures/rotating-file.ts';
import { StateSink } from '../../../gateway/exposures/state-sink.ts';
import { sampleExperiment } from '../../experiments/sample-experiment.ts';
import { temporaryFolder } from '../../models/temporary-folder.ts';
import { eventuallyHolds } from '../../eventually-holds.ts';

const experiment = sampleExperiment();
const ids = new PredictionIds(['a secret of a test, long enough']);
// Sinks read no more of a version than these.
const version = { about: { model: 'digits', version: 1, digest: 'ab'.repeat(32) } } as unknown as Servable;

function exposure(user: number, changes: Partial<Exposure> = {}): Exposure {
  const unit = { split: user, coverage: user };
  const atMs = Date.UTC(2026, 10, 22);
  return {
    atMs,
    predictionId: ids.issue({
      issuedMs: atMs,
      experiment: experiment.key,
      variant: 'v1',
      phase: 1,
      epoch: 1,
      counts: true,
      unit,
      version: 1,
    }),
    choice: { experiment, variant: experiment.control, reason: 'split', unit: `user-${user}`, hash: user },
    unit,
    version,
    outcome: 'ok',
    bearing: 'ok',
    answered: undefined,
    cache: undefined,
    keyId: '',
    totalMs: 3,
    queueMs: 1,
    computeMs: 2,
    batchId: user,
    batchRows: 1,
    ...changes,
  };
}

const many = (count: number): readonly Exposure[] =>
  Array.from({ length: count }, (_, user) => exposure(user));

/** A sink that only remembers. */
function memorySink(): ExposureSink & { readonly taken: Exposure[] } {
  const taken: Exposure[] = [];
  return {
    name: 'file',
    taken,
    accept: (exposures) => taken.push(...exposures),
    flush: () => Promise.resolve(),
    close: () => Promise.resolve(),
  };
}

describe('the recorder', () => {
  test('hands over off the path, in parts, all that was recorded in its order', async () => {
    const sink = memorySink();
    const recorder = new ExposureRecorder([sink], () => undefined);
    const exposures = many(1000);
    for (const one of exposures) recorder.record(one);
    expect(sink.taken).toEqual([]);
    await eventuallyHolds(() => {
      expect(sink.taken).toEqual(exposures);
    });
  });

  test('is bounded: what comes beyond is dropped and counted', async () => {
    const sink = memorySink();
    const onDrop = vi.fn();
    const recorder = new ExposureRecorder([sink], onDrop);
    const one = exposure(1);
    for (let count = 0; count < 32_768 + 5; count++) recorder.record(one);
    expect(onDrop).toHaveBeenCalledTimes(5);
    expect(onDrop).toHaveBeenLastCalledWith('file', 1, expect.any(String));
    await recorder.close();
    expect(sink.taken).toHaveLength(32_768);
  });
});

describe('the state sink', () => {
  const talliesOf = async (store: MemoryStore) =>
    (await store.tallies(experiment.key, 1, [], 0)).epochs[0]?.variants.v1;

  test('requests that shared a batch are one observation of its times', async () => {
    const store = new MemoryStore();
    const sink = new StateSink(store, () => undefined);
    sink.accept([exposure(1, { batchId: 7 }), exposure(2, { batchId: 7 }), exposure(3, { batchId: 8 })]);
    await sink.flush();
    const v1 = await talliesOf(store);
    expect(v1?.metrics.error_rate?.units).toBe(3);
    expect(v1?.metrics.compute?.units).toBe(2);
  });

  test('faults count as errors of the unit and of the variant, a timeout and a full queue too, and callers’ mistakes apart', async () => {
    const store = new MemoryStore();
    const sink = new StateSink(store, () => undefined);
    sink.accept([
      exposure(1, { bearing: 'error' }),
      exposure(2, { bearing: 'timeout' }),
      exposure(3),
      exposure(4, { bearing: 'shed' }),
      exposure(5, { bearing: 'client_error' }),
      exposure(6, { bearing: 'none' }),
    ]);
    await sink.flush();
    const v1 = await talliesOf(store);
    expect(v1?.errors).toBe(3);
    expect(v1?.metrics.error_rate).toMatchObject({ units: 4, sumX: 3 });
    expect(v1?.metrics.client_error_rate).toMatchObject({ units: 5, sumX: 1 });
    expect(v1?.metrics.latency?.units).toBe(1);
  });

  test('asks the store of a unit once, and again after a call that failed, whose requests are dropped', async () => {
    const store = new MemoryStore();
    const record = vi.spyOn(store, 'recordExposures');
    const onDrop = vi.fn();
    const sink = new StateSink(store, onDrop);
    record.mockRejectedValueOnce(new StoreUnavailable('away'));
    sink.accept(many(10));
    await sink.flush();
    expect(onDrop).toHaveBeenCalledWith('state', 10, 'away');
    sink.accept(many(10));
    await sink.flush();
    sink.accept(many(10));
    await sink.flush();
    expect(record.mock.calls.map(([{ units }]) => units.length)).toEqual([10, 10, 0]);
    expect(await talliesOf(store)).toMatchObject({ units: 10, requests: 20 });
  });
});

describe('the line sink', () => {
  test('a target that fails, or that is slower than the requests, costs lines that are counted', async () => {
    const gate = Promise.withResolvers<undefined>();
    const written: string[] = [];
    const target: LineTarget = {
      name: 'file',
      write: vi
        .fn<LineTarget['write']>()
        .mockRejectedValueOnce(new Error('disk full'))
        .mockImplementation(async (lines) => {
          await gate.promise;
          written.push(...lines);
        }),
      close: () => Promise.resolve(),
    };
    const onDrop = vi.fn();
    const sink = new LineSink(target, onDrop);
    sink.accept(many(3));
    await sink.flush();
    expect(onDrop).toHaveBeenCalledWith('file', 3, 'disk full');
    const one = exposure(1);
    sink.accept([one]);
    sink.accept(Array<Exposure>(50_002).fill(one));
    expect(onDrop).toHaveBeenLastCalledWith('file', 2, expect.any(String));
    gate.resolve(undefined);
    await sink.close();
    expect(written).toHaveLength(50_001);
  });
});

describe('the rotating file', () => {
  test('puts a full file aside, keeps so many, and cuts no line in two', async () => {
    await using folder = await temporaryFolder();
    const file = new RotatingFile({ path: join(folder.path, 'log'), maxBytes: 100, maxFiles: 3 });
    const lines = Array.from({ length: 50 }, (_, number) => `line ${number}`.padEnd(19, '.'));
    for (let start = 0; start < lines.length; start += 7) await file.write(lines.slice(start, start + 7));
    await file.close();
    expect((await readdir(folder.path)).sort()).toEqual(['log', 'log.1', 'log.2']);
    const texts = await Promise.all(
      ['log.2', 'log.1', 'log'].map((name) => readFile(join(folder.path, name), 'utf8')),
    );
    for (const text of texts) expect(text.length).toBeLessThanOrEqual(100);
    expect(texts.join('').trim().split('\n')).toEqual(lines.slice(-15));
  });

  test('that is a link puts aside what the link leads to, where that is', async () => {
    await using folder = await temporaryFolder({ 'disk/log': `${'x'.repeat(90)}\n` });
    const path = join(folder.path, 'log');
    await symlink(join('disk', 'log'), path);
    const file = new RotatingFile({ path, maxBytes: 100, maxFiles: 2 });
    await file.write(['a line that is too long for it']);
    await file.close();
    expect((await readdir(folder.path)).sort()).toEqual(['disk', 'log']);
    expect((await readdir(join(folder.path, 'disk'))).sort()).toEqual(['log', 'log.1']);
    expect(await readFile(path, 'utf8')).toBe('a line that is too long for it\n');
  });

  test('goes on with the file that is there, and counts its size', async () => {
    await using folder = await temporaryFolder({ log: `${'x'.repeat(90)}\n` });
    const file = new RotatingFile({ path: join(folder.path, 'log'), maxBytes: 100, maxFiles: 2 });
    await file.write(['a line that is too long for it']);
    await file.close();
    expect(await readFile(join(folder.path, 'log'), 'utf8')).toBe('a line that is too long for it\n');
    expect(await readFile(join(folder.path, 'log.1'), 'utf8')).toHaveLength(91);
  });
});

test('names are forgotten only when as many others came', () => {
  const seen = new RecentlySeen(2);
  expect(['a', 'b', 'a', 'c', 'a'].map((name) => seen.add(name))).toEqual([true, true, false, true, false]);
  expect(['d', 'e', 'f'].map((name) => seen.add(name))).toEqual([true, true, true]);
  expect(seen.add('a')).toBe(true);
});
