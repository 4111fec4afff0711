import { afterAll, beforeAll, expect, test } from 'vitest';
import { BUILT_IN_PLANS } from '../../../experiments/results/metric-plan.ts';
import { addingModel } from '../../models/small-models.ts';
import { experimentFile, metricValue, startGateway } from '../running-gateway.ts';
import type { RunningGateway } from '../running-gateway.ts';

/** Every value that a label may have, by what the gateway of this test is configured with. */
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  model: ['', 'digits'],
  version: ['', '1', '2'],
  experiment: ['', 'digits-cnn'],
  variant: ['', 'v1', 'v2'],
  reason: ['', 'split', 'override', 'default'],
  outcome: ['ok', 'client_error', 'error', 'timeout', 'shed', 'limited', 'denied', 'cancelled'],
  protocol: ['http', 'grpc'],
  release_reason: ['full', 'preferred', 'delay', 'idle', 'deadline', 'drain'],
  state: ['ready', 'starting', 'hung'],
  result: ['success', 'failure', 'hit', 'shared', 'miss', 'unavailable'],
  metric: ['correct', ...BUILT_IN_PLANS.map(({ plan }) => plan.name)],
  bound: ['estimate', 'low', 'high'],
  code: ['bad_signature', 'expired', 'unknown_metric', 'duplicate', 'not_counted', 'bad_value'],
};

const BODY = JSON.stringify({ inputs: [{ name: 'INPUT', datatype: 'FP32', shape: [1, 2], data: [1, 2] }] });

let gateway: RunningGateway;

beforeAll(async () => {
  gateway = await startGateway({
    files: {
      'models/digits/1/model.onnx': addingModel(1),
      'models/digits/2/model.onnx': addingModel(2),
      'experiments/digits-cnn.yaml': experimentFile({
        metrics: [{ name: 'correct', kind: 'proportion', role: 'goal' }],
      }),
    },
  });
});
afterAll(() => gateway[Symbol.asyncDispose]());

/** One attack after the other, each with names that nobody has said before. */
function attacks(n: number): readonly { readonly path: string; readonly init: RequestInit }[] {
  const evil = `evil${n}`;
  const post = (
    path: string,
    headers: Record<string, string> = {},
    body = BODY,
  ): ReturnType<typeof attacks>[0] => ({
    path,
    init: { method: 'POST', headers, body },
  });
  return [
    post('/v2/models/digits/infer', { 'x-user-id': evil }),
    post(`/v2/models/${evil}/infer`),
    post(`/v2/models/digits/versions/${1000 + n}/infer`),
    post(`/v2/models/digits/versions/${evil}/infer`),
    post('/v2/models/digits/infer', { 'x-experiment': evil }),
    post('/v2/models/digits/infer', { 'x-experiment': `digits-cnn=${evil}` }),
    post('/v2/models/digits/infer', { 'x-experiment': `${evil}=v1` }),
    post('/v2/models/digits/infer', { 'x-experiment': 'v2', 'x-user-id': `${evil}"} 1` }),
    post('/v2/models/digits/infer', { 'x-user-id': evil }, JSON.stringify({ inputs: [{ name: evil }] })),
    post(`/v2/models/digits%22%7D%0A${evil}/infer`),
    post('/v2/models/digits/infer', { authorization: `Bearer ${evil}`, 'x-api-key': evil }),
    post(`/predict/${evil}`, { 'content-type': `image/${evil}` }, evil),
    post('/v1/outcomes', {}, JSON.stringify({ prediction_id: evil, metric: evil, value: 1 })),
    post(`/v2/repository/models/${evil}/load`, {}, '{}'),
    { path: `/${evil}?${evil}=${evil}`, init: { method: 'GET' } },
    { path: `/v2/models/digits/stats/${evil}`, init: { method: n % 2 === 0 ? 'PUT' : 'DELETE' } },
  ];
}

test('names that only requests say make no series: labels have the values of the configuration', async () => {
  for (let n = 0; n < 40; n++) {
    await Promise.all(
      attacks(n).map(async ({ path, init }) => (await fetch(gateway.url(path), init)).arrayBuffer()),
    );
  }
  const text = await gateway.metrics();
  expect(metricValue(text, 'signalbox_requests_total')).toBeGreaterThan(40 * 10);
  expect(text).not.toContain('evil');
  const own = text.split('\n').filter((line) => line.startsWith('signalbox_'));
  const strange = [...own.join('\n').matchAll(/[{,](\w+)="((?:[^"\\]|\\.)*)"/g)]
    .filter(([, label = '', value = '']) => label !== 'le' && ALLOWED[label]?.includes(value) !== true)
    .map(([, label, value]) => `${label ?? ''}=${value ?? ''}`);
  expect([...new Set(strange)]).toEqual([]);
});

test('the same attacks again make no series that was not there', async () => {
  const seriesOf = async (): Promise<readonly string[]> =>
    (await gateway.metrics())
      .split('\n')
      // What an experiment says is read beside the scrapes, and comes when it comes.
      .filter((line) => /^signalbox_(?!srm|metric)/.test(line))
      .map((line) => line.slice(0, line.lastIndexOf(' ')))
      .toSorted();
  const before = await seriesOf();
  for (let n = 1000; n < 1020; n++) {
    await Promise.all(
      attacks(n).map(async ({ path, init }) => (await fetch(gateway.url(path), init)).arrayBuffer()),
    );
  }
  expect(await seriesOf()).toEqual(before);
});
