/** Versions that are taken out while a run of theirs goes on past its limit: nothing can end it, and nobody may wait for it. */
import { expect, test } from 'vitest';
import type { Servable } from '../../../backends/servable.ts';
import { eventuallyHolds } from '../../eventually-holds.ts';
import { lingeringModel } from '../../models/small-models.ts';
import { lentSlabsOf, openRepository, settle } from './open-repository.ts';
import type { OpenedRepository } from './open-repository.ts';

const FILES = {
  'm/1/model.onnx': lingeringModel(12),
  'm/config.yaml': 'max_batch_size: 1\ninstance_group: [{ count: 2 }]\n',
};
/** What makes a run take a second or more, which is well over both waits below. */
const LONG = 2000;
const HASTY = { machine: { faults: { runLimitMs: 50 } }, unloadWaitMs: 100 };
const WHY = 'a run of 1 of its instances goes on past its limit; its memory is freed when that ends';

async function ask(version: Servable, cost: number): Promise<number> {
  const input = { name: 'INPUT', datatype: 'FP32', shape: [1, 1], data: Float32Array.of(cost) } as const;
  const answer = await version.infer({ inputs: [input], deadlineMs: Infinity });
  const value = Number(answer.outputs[0]?.data[0]);
  answer.release();
  return value;
}

async function openHung(
  control: 'explicit' | 'poll',
): Promise<OpenedRepository & { readonly hung: Servable }> {
  const opened = await openRepository(FILES, { control, load: ['*'], ...HASTY });
  const hung = opened.ready('m', 1);
  await expect(ask(hung, LONG)).rejects.toMatchObject({ fault: 'expired_in_run' });
  return { ...opened, hung };
}

test('an unload does not wait for a run that hangs: the index says what it waits for, and all is freed when the run ends', async () => {
  await using opened = await openHung('explicit');
  const { repository, hung, events } = opened;
  await repository.unload('m');
  expect(hung.instances).toMatchObject({ hung: 1 });
  expect(opened.stateOf('m', 1)).toBe(`UNLOADING ${WHY}`);
  expect(repository.draining).toEqual([hung]);
  await expect(ask(hung, 0)).rejects.toMatchObject({ fault: 'unavailable' });
  await eventuallyHolds(() => {
    expect(opened.stateOf('m', 1)).toBe('UNAVAILABLE unloaded');
  });
  expect(repository.draining).toEqual([]);
  expect(lentSlabsOf(hung)).toBe(0);
  expect(events.onLingering.mock.calls).toEqual([['m', 1, WHY]]);
});

test('a model can be loaded again beside what hangs of it', async () => {
  await using opened = await openHung('explicit');
  const { repository, hung } = opened;
  await repository.unload('m');
  await repository.load('m');
  expect(repository.draining).toEqual([hung]);
  expect(opened.stateOf('m', 1)).toBe('READY');
  expect(await ask(opened.ready('m', 1), 2)).toBe(2);
});

test('a version that is replaced while it hangs is told of, and goes when the run ends', async () => {
  await using opened = await openHung('poll');
  const { repository, root, events } = opened;
  await root.write({ 'm/1/model.onnx': lingeringModel(11) });
  await settle(opened);
  expect(await ask(opened.ready('m', 1), 3)).toBe(3);
  await eventuallyHolds(() => {
    expect(events.onLingering.mock.calls).toEqual([['m', 1, WHY]]);
    expect(repository.draining).toEqual([]);
  });
});
