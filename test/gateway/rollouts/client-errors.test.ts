/** A version that turns callers away, where the control takes their requests, is taken back. */
import { expect, test } from 'vitest';
import { nanClassifier, slowClassifier } from '../../models/classifiers.ts';
import { identityModel } from '../../models/onnx-graph.ts';
import { eventually } from '../running-gateway.ts';
import { history, startRollout, stateOf, travel } from './rolled-out.ts';

const ERRORS_AT_MOST = {
  metrics: [{ name: 'errors', kind: 'proportion', source: 'error_rate', role: 'guardrail' }],
  guardrails: [{ metric: 'errors', maximum: 0.05 }],
};

test('a version 2 that answers every caller with a 4xx is rolled back, though the plan waits for nothing but time', async () => {
  await using gateway = await startRollout({
    // JSON has no NaN, so each of its answers is a 422.
    version2: nanClassifier(),
    experiment: ERRORS_AT_MOST,
    rollout: {
      steps: [{ setWeight: 20 }, { pause: { duration: '3s' } }],
      hardFloor: { consecutiveNaN: 0 },
    },
    admin: true,
  });
  const { weights } = await travel(gateway);
  expect(stateOf(gateway)?.kind).toBe('rolled_back');
  expect(weights).toEqual([0, 20, 0]);
  expect((await history(gateway)).at(-1)?.reason).toMatch(
    /^health: v2 turns 100 % of the units away as mistaken, and v1 0 % \(p \S+\): it takes other requests$/,
  );
});

test('a version 2 whose queue turns callers away is rolled back by its errors', async () => {
  await using gateway = await startRollout({
    version2: slowClassifier(512, 100),
    experiment: ERRORS_AT_MOST,
    files: {
      'models/classes/config.yaml':
        'max_batch_size: 1\ndynamic_batching: { default_queue_policy: { max_queue_size: 1 } }\n',
    },
    rollout: {
      steps: [{ setWeight: 50 }, { analysis: { count: 1000 } }],
      hardFloor: { consecutiveErrors: 0, consecutiveTimeouts: 0 },
    },
  });
  await travel(gateway, { atOnce: 8 });
  expect(stateOf(gateway)?.kind).toBe('rolled_back');
  expect((await history(gateway)).at(-1)?.reason).toMatch(/^(threshold|guardrail): errors/);
});

test('a version 2 whose inputs have other names than the control’s gets nobody, and why is told; a promotion by hand is refused', async () => {
  await using gateway = await startRollout({
    // At the start nothing is known of it yet: known, it would be refused.
    version2: new TextEncoder().encode('no model yet'),
    config: 'state: memory',
    experiment: ERRORS_AT_MOST,
    rollout: { steps: [{ setWeight: 20 }, { pause: {} }] },
    admin: true,
  });
  await eventually(() => stateOf(gateway)?.kind === 'pending');
  await gateway.folder.write({ 'models/classes/2/model.onnx': identityModel('FP32', ['batch', 4]) });
  await eventually(() => stateOf(gateway)?.kind === 'rolled_back');
  const reason = 'v2 takes INPUT FP32 [-1, 4], and not SCORES FP32 [-1, 4], as the control does';
  const steps = await history(gateway);
  expect(steps.at(-1)?.reason).toBe(`signature: ${reason}`);
  expect(steps.map(({ action }) => action)).not.toContain('rollout.waiting_for_approval');
  const promoted = await fetch(`http://${gateway.server.bound.admin ?? ''}/api/experiments/classes/promote`, {
    method: 'POST',
    body: JSON.stringify({ reason: 'all the same' }),
  });
  expect(promoted.status).toBe(409);
  expect(await promoted.text()).toContain(reason);
});
