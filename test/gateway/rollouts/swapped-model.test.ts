/** Files that are swapped under a version's number in the middle of its rollout make another model of it. */
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { RolloutState } from '../../../experiments/rollouts/state.ts';
import { permutedClassifier, rightClassifier, slowClassifier } from '../../models/classifiers.ts';
import { eventuallyHolds } from '../../eventually-holds.ts';
import { eventually } from '../running-gateway.ts';
import type { RunningGateway } from '../running-gateway.ts';
import { history, startRollout, stateOf, travel } from './rolled-out.ts';

/** Another model in the place of a version's, loaded. */
async function swap(gateway: RunningGateway, version: number, model: Uint8Array): Promise<void> {
  const digest = () => gateway.server.gateway.repository.model('classes')?.version(version)?.about.digest;
  const before = digest();
  const file = join(gateway.folder.path, `models/classes/${version}/model.onnx`);
  await writeFile(`${file}.new`, model);
  await rename(`${file}.new`, file);
  await eventually(() => digest() !== undefined && digest() !== before);
}

test('a version whose file is swapped while it is rolled out is taken back, and the audit log says why', async () => {
  await using gateway = await startRollout({
    version2: rightClassifier(),
    config: 'state: memory',
    experiment: {
      metrics: [{ name: 'errors', kind: 'proportion', source: 'error_rate', role: 'guardrail' }],
      guardrails: [],
    },
    rollout: { steps: [{ setWeight: 50 }, { pause: {} }] },
  });
  await eventually(() => stateOf(gateway)?.kind === 'waiting_for_approval');
  await travel(gateway, { most: 100, atOnce: 2 });
  expect(stateOf(gateway)?.kind).toBe('waiting_for_approval');
  await swap(gateway, 2, permutedClassifier());
  await travel(gateway, { atOnce: 2 });
  expect(stateOf(gateway)?.kind).toBe('rolled_back');
  expect((await history(gateway)).at(-1)?.reason).toMatch(
    /^health: the files of v2 were changed while it was rolled out \(models [0-9a-f]{12}, [0-9a-f]{12}\)/,
  );
});

/** As good as the right one, and of other bytes. */
const OTHER_CONTROL = slowClassifier(4, 1);

test.each<[string, object]>([
  ['waits for an analysis', { steps: [{ setWeight: 50 }, { analysis: { count: 100_000 } }] }],
  ['waits for time to pass', { steps: [{ setWeight: 50 }, { pause: { duration: '10m' } }] }],
])(
  'a control whose file is swapped while a rollout %s holds it for a person, who is told why',
  async (_, rollout) => {
    await using gateway = await startRollout({
      version2: rightClassifier(),
      config: 'state: memory',
      experiment: {
        metrics: [{ name: 'errors', kind: 'proportion', source: 'error_rate', role: 'guardrail' }],
        guardrails: [],
      },
      rollout,
      admin: true,
    });
    await eventually(() => ['progressing', 'paused'].includes(stateOf(gateway)?.kind ?? ''));
    await travel(gateway, { most: 100, atOnce: 2 });
    await swap(gateway, 1, OTHER_CONTROL);
    const isHeld = (state: RolloutState): boolean => state.kind === 'paused' && state.hold.by === 'health';
    await travel(gateway, { atOnce: 2, until: isHeld });
    expect(stateOf(gateway)).toMatchObject({ kind: 'paused', at: { step: 1 }, hold: { by: 'health' } });
    const last = (await history(gateway)).at(-1);
    expect(last).toMatchObject({ action: 'rollout.paused' });
    expect(last?.reason).toMatch(
      /^health: the files of v1 were changed while v2 was rolled out \(models [0-9a-f]{12}, [0-9a-f]{12}\): what v2 is compared with is of both/,
    );
    // Who has looked may still go on by hand.
    const promoted = await fetch(
      `http://${gateway.server.bound.admin ?? ''}/api/experiments/classes/promote`,
      {
        method: 'POST',
        body: JSON.stringify({ reason: 'both controls are fine', full: true }),
      },
    );
    expect(promoted.status).toBe(200);
    await eventually(() => stateOf(gateway)?.kind === 'succeeded');
  },
);

test('a swap is in the audit log by itself, with what stood before and after', async () => {
  await using gateway = await startRollout({
    version2: rightClassifier(),
    config: 'state: memory',
    rollout: { steps: [{ setWeight: 50 }, { pause: {} }] },
  });
  const about = (version: number) =>
    gateway.server.gateway.repository.model('classes')?.version(version)?.about;
  const before = about(1)?.digest;
  await swap(gateway, 1, OTHER_CONTROL);
  // It is served before that is written.
  await eventuallyHolds(async () => {
    const entries = await gateway.server.gateway.state.store.readAudit(0, 1000);
    expect(entries.map(({ entry }) => entry)).toContainEqual(
      expect.objectContaining({
        kind: 'model',
        action: 'model.replace',
        model: 'classes',
        actor: expect.objectContaining({ kind: 'file' }) as unknown,
        before: { versions: [{ version: 1, state: 'READY', instances: 1, digest: before }] },
        after: { versions: [{ version: 1, state: 'READY', instances: 1, digest: about(1)?.digest }] },
      }),
    );
  });
});
