/** Files that are swapped under a version's number in the middle of its rollout make another model of it. */
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { permutedClassifier, rightClassifier } from '../../models/classifiers.ts';
import { eventually } from '../running-gateway.ts';
import { history, startRollout, stateOf, travel } from './rolled-out.ts';

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
  const digest = () => gateway.server.gateway.repository.model('classes')?.version(2)?.about.digest;
  const before = digest();
  await travel(gateway, { most: 100, atOnce: 2 });
  expect(stateOf(gateway)?.kind).toBe('waiting_for_approval');
  const file = join(gateway.folder.path, 'models/classes/2/model.onnx');
  await writeFile(`${file}.new`, permutedClassifier());
  await rename(`${file}.new`, file);
  await eventually(() => digest() !== undefined && digest() !== before);
  await travel(gateway, { atOnce: 2 });
  expect(stateOf(gateway)?.kind).toBe('rolled_back');
  expect((await history(gateway)).at(-1)?.reason).toMatch(
    /^health: the files of v2 were changed while it was rolled out \(models [0-9a-f]{12}, [0-9a-f]{12}\)/,
  );
});
