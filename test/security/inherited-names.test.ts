/** Experiments, variants and metrics may be called as what every object inherits; nothing of that is taken for what was counted. */
import { expect, test } from 'vitest';
import { epochOf } from '../../experiments/epoch.ts';
import { experimentResults } from '../../experiments/results/experiment-results.ts';
import { analyseRollout } from '../../experiments/rollouts/analyse-rollout.ts';
import { applyStanding } from '../../experiments/standing/in-force.ts';
import { firstStanding } from '../../experiments/standing/reconcile.ts';
import type { Tallies } from '../../experiments/stores/tallies.ts';
import { sampleExperiment } from '../experiments/sample-experiment.ts';
import { identityModel } from '../models/onnx-graph.ts';
import { eventuallyHolds } from '../eventually-holds.ts';
import { experimentFile, startGateway } from '../gateway/running-gateway.ts';

/** A control, a variant, and one that nobody has met yet. */
const NAMES = ['constructor', 'toString', 'valueOf'] as const;

const variants = NAMES.map((name, index) => ({ name, version: index + 1, weight: 1 }));
const metrics = [
  { name: 'constructor', kind: 'proportion', role: 'goal' },
  { name: 'kept', kind: 'mean', role: 'guardrail' },
];

test('what nobody has met yet has no units, and no figure is anything but a number', () => {
  const experiment = sampleExperiment({ control: 'constructor', variants, metrics });
  const { epoch, ...split } = epochOf(experiment);
  for (const epochs of [[], [{ epoch, split, variants: {} }]]) {
    const tallies: Tallies = { experiment: experiment.key, phase: 1, epochs, untested: {} };
    const results = experimentResults(experiment, tallies, 0);
    expect(results.variants).toEqual(NAMES.map((name) => ({ name, units: 0, exposures: 0, drift: null })));
    expect(results.metrics).toEqual([]);
    expect(results.health.units.least).toBe(0);
    expect(results.health.clientErrors.shares).toEqual({ constructor: 0, toString: 0, valueOf: 0 });
    expect(JSON.stringify(results)).not.toMatch(/NaN|native code/);
  }
});

test('a rollout of such a variant waits for its units', () => {
  const experiment = sampleExperiment({
    control: 'constructor',
    variants: [
      { name: 'constructor', version: 1, weight: 1 },
      { name: 'toString', version: 2, weight: 0 },
    ],
    metrics,
    rollout: { steps: [{ setWeight: 10 }, { analysis: {} }] },
  });
  const plan = experiment.rollout ?? expect.fail('it has a rollout');
  const { epoch, ...split } = epochOf(experiment);
  const tallies: Tallies = {
    experiment: experiment.key,
    phase: 1,
    epochs: [{ epoch, split, variants: {} }],
    untested: {},
  };
  const at = { step: 1, sinceMs: 0, passes: 0, failures: 0, inconclusive: 0 };
  const evidence = { tallies, mirror: undefined, queries: [], webhooks: [] };
  const { outcome, findings } = analyseRollout(experiment, plan, { kind: 'progressing', at }, evidence, 0);
  expect(outcome).toBe('no_data');
  expect(findings.map(({ message }) => message)).toContain('toString has 0 of 100 units');
});

test('a standing that has no weight for one leaves it its file’s', () => {
  const experiment = sampleExperiment({ control: 'constructor', variants });
  const standing = firstStanding({ experiment, definition: '', digest: '' }, undefined, '');
  const weights = { constructor: 5 };
  const inForce = applyStanding(experiment, { ...standing, split: { ...standing.split, weights } });
  expect(inForce.variants.map(({ name, weight }) => [name, weight])).toEqual([
    ['constructor', 5],
    ['toString', 1],
    ['valueOf', 1],
  ]);
});

test('they are served, counted and told as any other', async () => {
  await using gateway = await startGateway({
    admin: true,
    config: 'state: sqlite:./state.db\n',
    files: {
      ...Object.fromEntries(
        NAMES.map((_, index) => [
          `models/simple/${index + 1}/model.onnx`,
          identityModel('FP32', ['batch', 4]),
        ]),
      ),
      'experiments/simple.yaml': experimentFile({
        key: 'constructor',
        model: 'simple',
        control: 'constructor',
        variants,
        metrics,
      }),
    },
  });
  const inputs = [{ name: 'INPUT', shape: [1, 4], datatype: 'FP32', data: [1, 2, 3, 4] }];
  const got = new Map<string, number>(NAMES.map((name) => [name, 0]));
  for (let user = 0; user < 60; user++) {
    const answer = await fetch(gateway.url('/v2/models/simple/infer'), {
      method: 'POST',
      headers: { 'x-user-id': `user-${user}` },
      body: JSON.stringify({ inputs }),
    });
    const name = answer.headers.get('x-experiment')?.replace('constructor=', '') ?? '';
    got.set(name, (got.get(name) ?? 0) + 1);
    const prediction = { prediction_id: answer.headers.get('x-prediction-id') ?? '', value: 1 };
    const outcomes = metrics.map((metric) => ({ ...prediction, metric: metric.name }));
    const told = await fetch(gateway.url('/v1/outcomes'), { method: 'POST', body: JSON.stringify(outcomes) });
    expect(await told.json()).toEqual({ accepted: 2, rejected: [] });
  }
  const url = `http://${gateway.server.bound.admin ?? ''}/api/experiments/constructor/results`;
  await eventuallyHolds(async () => {
    const results = (await (await fetch(url)).json()) as {
      variants: { name: string; units: number }[];
      metrics: { name: string; variant: string; units: number; estimate: number; control: number }[];
    };
    expect(results.variants.map(({ name, units }) => [name, units])).toEqual([...got]);
    for (const { name, estimate, control, units, variant } of results.metrics) {
      expect(metrics.map((metric) => metric.name)).toContain(name);
      expect([estimate, control]).toEqual([1, 1]);
      expect(units).toBe((got.get('constructor') ?? 0) + (got.get(variant) ?? 0));
    }
    expect(results.metrics).toHaveLength(4);
  });
});
