/** A version that is rolled out takes the whole process down, again and again: the processes that follow remember. */
import { describe, expect, test } from 'vitest';
import { eventually, experimentFile } from '../gateway/running-gateway.ts';
import { identityModel } from '../models/onnx-graph.ts';
import { crashingModel, lingeringModel } from '../models/small-models.ts';
import { startSupervised } from './supervised.ts';
import type { Supervised } from './supervised.ts';

/** Holds the lingering model up for much longer than a test takes. */
const ENDLESS = 6000;

/** As many deaths as roll back where the plan says nothing. */
const DEATHS = 3;

const ROLLED_OUT = experimentFile({
  key: 'pair',
  model: 'pair',
  variants: [
    { name: 'v1', version: 1, weight: 100 },
    { name: 'v2', version: 2, weight: 0 },
  ],
  rollout: { steps: [{ setWeight: 100 }, { pause: {} }] },
});

function startRollout(version2: Uint8Array, config: string): Promise<Supervised> {
  return startSupervised({
    models: { pair: identityModel('FP32', ['batch', 1]) },
    files: { 'pair/2/model.onnx': version2 },
    config: `experiments: ./experiments\n${config}\n`,
    experiments: { 'pair.yaml': ROLLED_OUT },
  });
}

async function answeredBy(gateway: Supervised): Promise<string | null> {
  const response = await gateway.infer('pair', 2);
  await response.arrayBuffer();
  return response.headers.get('x-experiment');
}

async function standingOf(
  gateway: Supervised,
): Promise<{ readonly action: string; readonly reason: string }> {
  const response = await fetch(`${gateway.admin}/api/experiments/pair`);
  return ((await response.json()) as { standing: { action: string; reason: string } }).standing;
}

async function expectRolledBack(gateway: Supervised): Promise<void> {
  expect(await answeredBy(gateway)).toBe('pair=v1');
  await eventually(async () => (await standingOf(gateway)).action === 'rollout.rolled_back');
  expect((await standingOf(gateway)).reason).toBe(`hard_floor: v2: ${DEATHS} workers died`);
  const lines = gateway.logged('the server died while it ran this version');
  expect(lines.at(-1)).toMatchObject({ model: 'pair', version: 2, deaths: DEATHS });
}

// Four processes start one after the other.
describe.skipIf(process.platform !== 'linux')('a version that is rolled out', { timeout: 300_000 }, () => {
  test.each(['state: sqlite:./state.db', 'state: memory'])(
    'and crashes the process is rolled back before the third process that follows answers anybody (%s)',
    async (state) => {
      await using gateway = await startRollout(crashingModel(), state);
      for (let death = 1; death <= DEATHS; death += 1) {
        await eventually(async () => (await answeredBy(gateway)) === 'pair=v2');
        await expect(gateway.infer('pair', -death)).rejects.toThrow();
        await eventually(() => gateway.logged('the server is ready again').length === death);
      }
      await expectRolledBack(gateway);
    },
  );

  test('and hangs until the process is replaced is rolled back too', async () => {
    await using gateway = await startRollout(
      lingeringModel(4),
      'state: sqlite:./state.db\ntimeouts: { run: 200ms }',
    );
    for (let death = 1; death <= DEATHS; death += 1) {
      await eventually(async () => (await answeredBy(gateway)) === 'pair=v2');
      expect((await gateway.infer('pair', ENDLESS + death)).status).toBe(504);
      await eventually(() => gateway.logged('the server is ready again').length === death);
    }
    await expectRolledBack(gateway);
  });
});
