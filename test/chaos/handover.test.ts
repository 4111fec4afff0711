/** What requests made of the models is there again when the process that they were made to has died and was replaced. */
import { expect, test } from 'vitest';
import { eventually } from '../gateway/running-gateway.ts';
import { lingeringModel } from '../models/small-models.ts';
import { startSupervised } from './supervised.ts';
import type { Supervised } from './supervised.ts';

const MODEL = lingeringModel(1);

/** Crashes the serving process, and returns when the next one serves. */
async function crash(gateway: Supervised): Promise<void> {
  const before = gateway.logged('the server is ready again').length;
  process.kill(await gateway.childPid(), 'SIGSEGV');
  await eventually(() => gateway.logged('the server is ready again').length > before);
}

async function readyModels(gateway: Supervised): Promise<readonly string[]> {
  const index = (await (await gateway.post('/v2/repository/index', { ready: true })).json()) as {
    name: string;
  }[];
  return index.map(({ name }) => name);
}

const scale = async (gateway: Supervised, model: string, workers: number): Promise<number> => {
  const query = `min_worker=${workers}&max_worker=${workers}&synchronous=true`;
  return (await fetch(`${gateway.admin}/models/${model}?${query}`, { method: 'PUT' })).status;
};

const instances = (gateway: Supervised, model: string): Promise<number> =>
  gateway.metric('signalbox_instances', { model, state: 'ready' });

test.skipIf(process.platform !== 'linux')(
  'with explicit control the models that were loaded, registered and scaled are back after a crash, and the next one; what was unloaded is not',
  async () => {
    await using gateway = await startSupervised({
      models: { asked: MODEL, left: MODEL, never: MODEL, broken: new Uint8Array(3) },
      files: { 'spare.onnx': MODEL },
      control: 'explicit',
    });
    const statusOf = async (...asked: Parameters<Supervised['change']>): Promise<number> =>
      (await gateway.change(...asked)).status;
    expect(await statusOf('asked', 'load', { max_batch_size: 4 })).toBe(200);
    expect(await statusOf('left', 'load')).toBe(200);
    expect(await statusOf('left', 'unload')).toBe(200);
    expect(await statusOf('broken', 'load')).toBe(500);
    // It fails, and what served before goes on: that is what is to come back.
    expect(
      await statusOf('asked', 'load', {
        max_batch_size: 4,
        input: [{ name: 'X', data_type: 'TYPE_FP32', dims: [1] }],
      }),
    ).toBe(500);
    const registered = await fetch(
      `${gateway.admin}/models?url=spare.onnx&initial_workers=1&synchronous=true`,
      { method: 'POST' },
    );
    expect(registered.status).toBe(200);
    expect(await scale(gateway, 'asked', 3)).toBe(200);

    await crash(gateway);
    expect(await readyModels(gateway)).toEqual(['asked', 'spare']);
    expect((await gateway.infer('asked', 2)).status).toBe(200);
    expect((await gateway.infer('spare', 2)).status).toBe(200);
    expect((await gateway.infer('left', 2)).status).toBe(404);
    expect(await instances(gateway, 'asked')).toBe(3);
    expect(await gateway.configOf('asked')).toMatchObject({ max_batch_size: 4 });
    expect(await statusOf('asked', 'unload')).toBe(200);
    await crash(gateway);
    expect(await readyModels(gateway)).toEqual(['spare']);
  },
);

test.skipIf(process.platform !== 'linux')(
  'whoever has the control, a version that was scaled has its instances again after a crash',
  async () => {
    await using gateway = await startSupervised({ models: { m: MODEL, n: MODEL } });
    expect(await scale(gateway, 'm', 2)).toBe(200);
    await crash(gateway);
    expect([await instances(gateway, 'm'), await instances(gateway, 'n')]).toEqual([2, 1]);
  },
);
