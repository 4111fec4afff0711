import { afterAll, beforeAll, expect, test } from 'vitest';
import type { MirrorResult } from '../../../experiments/results/mirror-results.ts';
import { encodeModel } from '../../models/onnx-graph.ts';
import { lookupModel, slowModel } from '../../models/small-models.ts';
import { eventually, metricValue, startGateway } from '../running-gateway.ts';
import type { RunningGateway } from '../running-gateway.ts';

/** Three scores, and what one operator makes of them. */
function scoresModel(op: 'Identity' | 'Neg' | 'Log'): Uint8Array {
  return encodeModel({
    inputs: [{ name: 'INPUT', datatype: 'FP32', shape: ['batch', 3] }],
    outputs: [{ name: 'SCORES', datatype: 'FP32', shape: ['batch', 3] }],
    nodes: [{ op, inputs: ['INPUT'], outputs: ['SCORES'] }],
  });
}

const CONFIG = 'signalbox: { labels: labels.txt }\n';

function experiment(model: string, mirror: unknown, variants: readonly string[]): string {
  return JSON.stringify({
    key: model,
    model,
    status: 'running',
    control: 'v1',
    variants: variants.map((name) => ({
      name,
      version: Number(name.slice(1)),
      weight: name === 'v1' ? 1 : 0,
    })),
    mirror,
  });
}

let gateway: RunningGateway;
beforeAll(async () => {
  gateway = await startGateway({
    admin: true,
    files: {
      'models/animals/config.yaml': CONFIG,
      'models/animals/labels.txt': 'cat\ndog\nowl\n',
      'models/animals/1/model.onnx': scoresModel('Identity'),
      'models/animals/2/model.onnx': scoresModel('Neg'),
      'models/animals/3/model.onnx': scoresModel('Identity'),
      'models/animals/4/model.onnx': scoresModel('Log'),
      'models/animals/5/model.onnx': lookupModel(),
      'experiments/animals.yaml': experiment(
        'animals',
        ['v2', 'v3', 'v4', 'v5'].map((variant) => ({ variant })),
        ['v1', 'v2', 'v3', 'v4', 'v5'],
      ),
      'models/slow/1/model.onnx': slowModel(4, 1),
      'models/slow/2/model.onnx': slowModel(4, 1),
      'experiments/slow.yaml': experiment('slow', { variant: 'v2', share: 0 }, ['v1', 'v2']),
      'models/none/1/model.onnx': scoresModel('Identity'),
      'experiments/none.yaml': experiment('none', undefined, ['v1']),
    },
  });
});
afterAll(() => gateway[Symbol.asyncDispose]());

const BODY = JSON.stringify({
  inputs: [{ name: 'INPUT', datatype: 'FP32', shape: [1, 3], data: [-1, 2, 0.5] }],
});

async function call(user: string, model = 'animals', headers: Record<string, string> = {}, body = BODY) {
  const response = await fetch(gateway.url(`/v2/models/${model}/infer`), {
    method: 'POST',
    body,
    headers: { 'x-user-id': user, ...headers },
  });
  const answer = (await response.json()) as { model_version: string; outputs: { data: number[] }[] };
  return { status: response.status, version: answer.model_version, data: answer.outputs[0]?.data };
}

async function mirrors(key = 'animals'): Promise<readonly MirrorResult[]> {
  const admin = `http://${gateway.server.bound.admin ?? ''}/api/experiments/${key}/results`;
  return ((await (await fetch(admin)).json()) as { mirrors: MirrorResult[] }).mirrors;
}

const pair = async (variant: string, mirror: string): Promise<MirrorResult | undefined> =>
  (await mirrors()).find((result) => result.variant === variant && result.mirror === mirror);

test('callers get the answers of their own variant, while shadows answer copies that are compared', async () => {
  let user = 0;
  await eventually(async () => {
    const answer = await call(`user-${user++}`);
    expect(answer).toEqual({ status: 200, version: '1', data: [-1, 2, 0.5] });
    const counts = await Promise.all(['v2', 'v3', 'v4'].map((shadow) => pair('v1', shadow)));
    return counts.every((result) => (result?.compared ?? 0) >= 5);
  });
  // The last call's copies may still be under way: they are over when what is counted and what is kept say the same.
  const counted = async (variant: string, result: string): Promise<number> =>
    metricValue(await gateway.metrics(), 'signalbox_mirror_requests_total', {
      experiment: 'animals',
      variant,
      result,
    });
  await eventually(async () => {
    const [disagreed, agreed] = [await counted('v2', 'disagree'), await counted('v3', 'agree')];
    const [v2, v3] = [await pair('v1', 'v2'), await pair('v1', 'v3')];
    return v2?.compared === disagreed && v3?.compared === agreed;
  });
  const [flipping, same, nan] = await Promise.all(['v2', 'v3', 'v4'].map((shadow) => pair('v1', shadow)));
  expect(flipping).toMatchObject({
    variant: 'v1',
    mirror: 'v2',
    failed: {},
    agreement: { same: 0, share: 0, unitShare: 0 },
    flips: [{ from: 'dog', to: 'cat', rows: flipping?.compared }],
    difference: { mean: expect.closeTo(7 / 3, 6) as number, largest: 4 },
    cosine: { mean: expect.closeTo(-1, 6) as number, least: expect.closeTo(-1, 6) as number },
    drift: { totalVariation: 1 },
    nonFinite: { variant: 0, mirror: 0 },
    otherShape: 0,
  });
  expect(flipping?.computeMs.mirror?.p50).toBeGreaterThan(0);
  expect(same).toMatchObject({
    agreement: { share: 1, unitShare: 1 },
    flips: [],
    difference: { mean: 0, largest: 0 },
    drift: { psi: 0 },
  });
  // The logarithm of -1 is not a number.
  expect(nan).toMatchObject({ nonFinite: { variant: 0, mirror: nan?.compared }, agreement: { same: 0 } });
  expect(nan?.flips[0]).toMatchObject({ from: 'dog', to: 'NaN' });
  const refused = await pair('v1', 'v5');
  expect(refused).toMatchObject({ compared: 0, agreement: null });
  expect(Object.keys(refused?.failed ?? {})).toEqual(['invalid_input']);

  expect(await counted('v5', 'failed')).toBeGreaterThan(0);
  // A copy is nobody's request and nobody's exposure.
  const text = await gateway.metrics();
  expect(metricValue(text, 'signalbox_requests_total', { experiment: 'animals', variant: 'v2' })).toBe(0);
});

test('a unit counts once in the share of units, and each of its requests in that of rows', async () => {
  const before = await pair('v1', 'v3');
  await eventually(async () => {
    await call('the-same-user');
    return ((await pair('v1', 'v3'))?.compared ?? 0) >= (before?.compared ?? 0) + 5;
  });
  const after = await pair('v1', 'v3');
  expect((after?.agreement?.units ?? 0) - (before?.agreement?.units ?? 0)).toBe(1);
});

test('callers who are given the shadow itself are not copied to it', async () => {
  expect(await call('tester', 'animals', { 'x-experiment': 'v2' })).toMatchObject({ version: '2' });
  await eventually(async () => {
    await call('tester', 'animals', { 'x-experiment': 'v2' });
    return ((await pair('v2', 'v3'))?.compared ?? 0) > 0;
  });
  expect(await pair('v2', 'v2')).toBeUndefined();
  // The negative of the negative: what flips one way flips back.
  expect((await pair('v2', 'v3'))?.flips[0]).toMatchObject({ from: 'cat', to: 'dog' });
});

test('a share of 0 copies nothing, and an experiment without mirrors has none', async () => {
  const body = JSON.stringify({
    inputs: [{ name: 'INPUT', datatype: 'FP32', shape: [1, 4, 4], data: Array<number>(16).fill(1) }],
  });
  expect(await call('ada', 'slow', {}, body)).toMatchObject({ status: 200 });
  expect(await call('ada', 'none')).toMatchObject({ status: 200 });
  expect(await mirrors('slow')).toEqual([]);
  expect(await mirrors('none')).toEqual([]);
});
