import { expect, test } from 'vitest';
import type { PublishedResults } from '../../../experiments/results/experiment-results.ts';
import { identityModel } from '../../models/onnx-graph.ts';
import { predict, sendOutcomes } from '../faces/predictions.ts';
import { eventually, experimentFile, metricValue, startGateway } from '../running-gateway.ts';

test('a bandit moves the weights to the better variant, and units stay where they first landed', async () => {
  await using gateway = await startGateway({
    admin: true,
    files: {
      'models/digits/1/model.onnx': identityModel('FP32', ['batch', 1]),
      'models/digits/2/model.onnx': identityModel('FP32', ['batch', 1]),
      'experiments/digits.yaml': experimentFile({
        variants: [
          { name: 'v1', version: 1, weight: 50 },
          { name: 'v2', version: 2, weight: 50 },
        ],
        metrics: [{ name: 'correct', kind: 'proportion', role: 'goal' }],
        allocation: { kind: 'thompson', every: '1s', floor: 0.1, minUnits: 40 },
      }),
    },
  });
  const admin = `http://${gateway.server.bound.admin ?? ''}/api`;
  const results = async () =>
    (await (await fetch(`${admin}/experiments/digits-cnn/results`)).json()) as PublishedResults;
  expect((await results()).allocation).toMatchObject({ kind: 'thompson', weights: { v1: 50, v2: 50 } });

  const landed = new Map<string, string>();
  for (let user = 0; user < 160; user++) {
    const name = `user-${user}`;
    const { id, variant } = await predict(gateway, name);
    landed.set(name, variant);
    const value = variant === 'v2' ? Number(user % 10 !== 0) : Number(user % 10 === 0);
    await sendOutcomes(gateway, { prediction_id: id, metric: 'correct', value });
  }
  // A change that the draws alone could bring opens no epoch, so 90 may not be reached to the point.
  await eventually(async () => ((await results()).allocation?.weights.v2 ?? 0) >= 88);

  const turns = { experiment: 'digits-cnn' };
  const metrics = await gateway.metrics();
  expect(metricValue(metrics, 'signalbox_bandit_turns_total', { ...turns, result: 'moved' })).toBeGreaterThan(
    0,
  );
  expect(metricValue(metrics, 'signalbox_bandit_turns_total', { ...turns, result: 'failed' })).toBe(0);
  for (const [user, variant] of landed) expect((await predict(gateway, user)).variant).toBe(variant);
  let toBetter = 0;
  for (let user = 0; user < 100; user++)
    if ((await predict(gateway, `new-${user}`)).variant === 'v2') toBetter += 1;
  expect(toBetter).toBeGreaterThan(75);

  const after = await results();
  expect(after.allocation?.epochs).toBeGreaterThan(1);
  expect(after.health.srm.ok).toBe(true);
  const [correct] = after.metrics;
  expect(correct?.difference?.estimate).toBeCloseTo(0.8, 0);
  const audit = (await (await fetch(`${admin}/audit`)).json()) as { entries?: unknown[] };
  expect(JSON.stringify(audit)).toContain('"action":"reweigh"');
});
