/** A run that hangs while its version is being loaded: nothing can end it, and nobody may wait for it. */
import { expect, test } from 'vitest';
import { lingeringModel } from '../models/small-models.ts';
import { startSupervised } from './supervised.ts';

/** Holds a run of the model up for much longer than a test takes. */
const ENDLESS = new Uint8Array(Float32Array.of(6000).buffer);
const WARM_UP = {
  max_batch_size: 1,
  model_warmup: [
    {
      name: 'w',
      batch_size: 1,
      inputs: { INPUT: { data_type: 'TYPE_FP32', dims: [1], input_data_file: 'long.bin' } },
    },
  ],
};
const WHY =
  'the model has not answered the warm-up "w" for 0.2 s (timeouts.warmup); ' +
  'the thread and the memory of that run are freed when it ends';

test.skipIf(process.platform !== 'linux')(
  'a load whose warm-up hangs is answered and says so, the last good version serves on, and a stop does not wait for the run',
  async () => {
    await using gateway = await startSupervised({
      models: { slow: lingeringModel(4), other: lingeringModel(1) },
      files: { 'slow/warmup/long.bin': ENDLESS },
      control: 'explicit',
      config: 'timeouts: { warmup: 200ms, grace: 0s, drain: 20s }',
    });
    const load = async (model: string, config?: object): Promise<readonly [number, unknown]> => {
      const response = await gateway.change(model, 'load', config);
      return [response.status, response.status === 200 ? '' : await response.json()];
    };
    const answer = async (model: string): Promise<number> => (await gateway.infer(model, 2)).status;
    expect(await load('slow')).toEqual([200, '']);
    const [status, body] = await load('slow', WARM_UP);
    expect([status, body]).toEqual([500, { error: expect.stringContaining(WHY) as string }]);
    expect(await answer('slow')).toBe(200);
    const index: unknown = await (await gateway.post('/v2/repository/index', {})).json();
    expect(index).toContainEqual({
      ...{ name: 'slow', version: '1', state: 'READY' },
      reason: expect.stringContaining(WHY) as string,
    });
    expect(await load('other')).toEqual([200, '']);
    expect(await answer('other')).toBe(200);

    gateway.running.child.kill('SIGTERM');
    expect(await gateway.running.ended).toBe(0);
    expect(
      gateway.logged('the server has answered all, and a run that hangs keeps it: it is killed'),
    ).toHaveLength(1);
  },
);
