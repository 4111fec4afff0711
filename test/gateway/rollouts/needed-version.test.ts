import { expect, test } from 'vitest';
import { rightClassifier } from '../../models/classifiers.ts';
import { askAdmin } from '../faces/admin-client.ts';
import { eventually } from '../running-gateway.ts';
import type { RunningGateway } from '../running-gateway.ts';
import { classify, startRollout, stateOf } from './rolled-out.ts';

const WAITING = { steps: [{ setWeight: 50 }, { pause: {} }] };

async function waiting(config: string): Promise<RunningGateway> {
  const gateway = await startRollout({ version2: rightClassifier(), rollout: WAITING, config, admin: true });
  await eventually(() => stateOf(gateway)?.kind === 'waiting_for_approval');
  return gateway;
}

const EXPLICIT = 'state: memory\nmodels: { repository: ./models, control: explicit, load: [classes] }\n';

test('an unload, or a load under another policy, that would take the last good version away is refused', async () => {
  await using gateway = await waiting(EXPLICIT);
  const unloaded = await askAdmin(gateway, '/api/models/classes/unload', { body: {} });
  expect(unloaded).toMatchObject({
    status: 409,
    body: {
      error: expect.stringMatching(
        /^failed to unload 'classes', version 1 would be gone: the rollout of classes is waiting for approval, and would go back to it; promote/,
      ) as string,
    },
  });
  const config = JSON.stringify({ version_policy: { specific: { versions: [2] } } });
  const narrowed = await askAdmin(gateway, '/api/models/classes/load', { body: { parameters: { config } } });
  expect(narrowed).toMatchObject({
    status: 409,
    body: { error: expect.stringContaining('version 1 would be gone') as string },
  });
  const users = await Promise.all(
    Array.from({ length: 40 }, (_, user) => classify(gateway, `user-${user}`, 1)),
  );
  expect(new Set(users.map(({ status, variant }) => `${status} ${variant}`))).toEqual(
    new Set(['200 v1', '200 v2']),
  );
  const body = { reason: 'a test', full: true };
  await askAdmin(gateway, '/api/experiments/classes/promote', { body });
  await eventually(() => stateOf(gateway)?.kind === 'succeeded');
  expect(
    (await askAdmin(gateway, '/api/models/classes/load', { body: { parameters: { config } } })).status,
  ).toBe(200);
});

test('a policy that passes the last good version over waits, and so does a folder that is gone: it serves on', async () => {
  await using gateway = await waiting('state: memory\n');
  await gateway.folder.write({
    'models/classes/config.yaml': 'version_policy: { latest: { num_versions: 1 } }\n',
  });
  await eventually(() => gateway.log.some((line) => line.includes('no longer wished serves on')));
  await askAdmin(gateway, '/api/experiments/classes/rollback', { body: { reason: 'a test' } });
  await eventually(() => stateOf(gateway)?.kind === 'aborted');
  expect(await classify(gateway, 'ada', 1)).toEqual({ status: 200, variant: 'v1' });
  await askAdmin(gateway, '/api/experiments/classes/promote', { body: { reason: 'a test', full: true } });
  // Nothing goes back to it any more.
  await eventually(() => gateway.server.gateway.repository.model('classes')?.version(1) === undefined);
  expect(await classify(gateway, 'ada', 1)).toEqual({ status: 200, variant: 'v2' });
});
