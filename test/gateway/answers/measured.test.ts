import { expect, test } from 'vitest';
import type { PublishedResults } from '../../../experiments/results/experiment-results.ts';
import { encodeModel } from '../../models/onnx-graph.ts';
import { experimentFile, metricValue, startGateway } from '../running-gateway.ts';

/** Two probabilities, and what one operator makes of them. */
function model(op: 'Identity' | 'Neg'): Uint8Array {
  return encodeModel({
    inputs: [{ name: 'INPUT', datatype: 'FP32', shape: ['batch', 2] }],
    outputs: [{ name: 'OUTPUT', datatype: 'FP32', shape: ['batch', 2] }],
    nodes: [{ op, inputs: ['INPUT'], outputs: ['OUTPUT'] }],
  });
}

test('confidence, drift and a covariate are measured on live requests', async () => {
  await using gateway = await startGateway({
    admin: true,
    files: {
      'models/digits/1/model.onnx': model('Identity'),
      'models/digits/2/model.onnx': model('Neg'),
      'experiments/digits.yaml': experimentFile({
        variants: [
          { name: 'v1', version: 1, weight: 1 },
          { name: 'v2', version: 2, weight: 1 },
        ],
        metrics: [{ name: 'revenue', kind: 'mean', role: 'goal', covariate: 'revenue_before' }],
      }),
    },
  });
  const outcomes: { prediction_id: string; metric: string; value: number }[] = [];
  for (let user = 0; user < 120; user++) {
    // The second row of a request says nothing of it.
    const body = { inputs: [{ name: 'INPUT', datatype: 'FP32', shape: [2, 2], data: [0.2, 0.8, 0.9, 0.1] }] };
    const response = await fetch(gateway.url('/v2/models/digits/infer'), {
      method: 'POST',
      body: JSON.stringify(body),
      headers: { 'x-user-id': `user-${user}` },
    });
    await response.arrayBuffer();
    const id = response.headers.get('x-prediction-id') ?? '';
    outcomes.push({ prediction_id: id, metric: 'revenue', value: 10 * (user % 6) + (user % 2) });
    outcomes.push({ prediction_id: id, metric: 'revenue_before', value: 10 * (user % 6) });
  }
  const answer = await fetch(gateway.url('/v1/outcomes'), { method: 'POST', body: JSON.stringify(outcomes) });
  expect(await answer.json()).toEqual({ accepted: 240, rejected: [] });

  const url = `http://${gateway.server.bound.admin ?? ''}/api/experiments/digits-cnn/results`;
  const results = (await (await fetch(url)).json()) as PublishedResults;
  const confidence = results.builtIn.find(({ name }) => name === 'confidence');
  expect(confidence?.control).toBeCloseTo(0.8, 6);
  // Of -0.2 and -0.8, which are no probabilities.
  expect(confidence?.estimate).toBeCloseTo(1 / (1 + Math.exp(-0.6)), 6);
  expect(results.variants.map(({ drift }) => drift?.totalVariation)).toEqual([0, 1]);
  const [revenue] = results.metrics;
  expect(revenue?.units).toBe(120);
  expect(revenue?.varianceReduction).toBeGreaterThan(0.99);
});

test('cache hits are measured by variant where the model has a cache, and the times are those of the runs', async () => {
  await using gateway = await startGateway({
    admin: true,
    files: {
      'models/digits/1/model.onnx': model('Identity'),
      'models/digits/2/model.onnx': model('Neg'),
      'models/digits/config.yaml': 'response_cache: { enable: true }',
      'experiments/digits.yaml': experimentFile({
        variants: [
          { name: 'v1', version: 1, weight: 1 },
          { name: 'v2', version: 2, weight: 1 },
        ],
        metrics: [{ name: 'hits', kind: 'proportion', source: 'cache_hits' }],
      }),
    },
  });
  const first = new Set<string>();
  for (let user = 0; user < 40; user++) {
    const response = await fetch(gateway.url('/v2/models/digits/infer'), {
      method: 'POST',
      headers: { 'x-user-id': `user-${user}` },
      body: JSON.stringify({ inputs: [{ name: 'INPUT', datatype: 'FP32', shape: [1, 2], data: [1, 2] }] }),
    });
    await response.arrayBuffer();
    const variant = response.headers.get('x-experiment') ?? '';
    expect(response.headers.get('x-cache')).toBe(first.has(variant) ? 'hit' : 'miss');
    first.add(variant);
  }
  const url = `http://${gateway.server.bound.admin ?? ''}/api/experiments/digits-cnn/results`;
  const { metrics, builtIn, variants } = (await (await fetch(url)).json()) as PublishedResults;
  const [v1 = 0, v2 = 0] = variants.map(({ units }) => units);
  expect(v1 + v2).toBe(40);
  // All but each variant's first.
  expect(metrics).toMatchObject([{ name: 'hits', control: (v1 - 1) / v1, estimate: (v2 - 1) / v2 }]);
  // How many hits a variant has depends on its traffic, so they would make the smaller one the slower one.
  for (const name of ['latency_p50', 'queue_p50', 'compute_p50'])
    expect(builtIn.find((metric) => metric.name === name)?.units ?? 0).toBeLessThanOrEqual(2);
  const metricsText = await gateway.metrics();
  for (const version of ['1', '2']) {
    const labels = { model: 'digits', version, experiment: 'digits-cnn', variant: `v${version}` };
    expect(metricValue(metricsText, 'signalbox_compute_duration_seconds_count', labels)).toBe(1);
    expect(metricValue(metricsText, 'signalbox_queue_duration_seconds_count', labels)).toBe(1);
  }
});
