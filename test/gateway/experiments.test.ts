import { cp, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Pool } from 'undici';
import { expect, test } from 'vitest';
import { identityModel, slowModel } from '../models/onnx-graph.ts';
import { eventually, experimentFile, metricValue, startGateway } from './running-gateway.ts';
import type { GatewayFiles, RunningGateway } from './running-gateway.ts';

const MODELS: GatewayFiles['files'] = {
  'models/digits/1/model.onnx': identityModel('FP32', ['batch', 1]),
  'models/digits/2/model.onnx': identityModel('FP32', ['batch', 1]),
  'models/digits/3/model.onnx': identityModel('FP32', ['batch', 1]),
};
const BODY = JSON.stringify({ inputs: [{ name: 'INPUT', shape: [1, 1], datatype: 'FP32', data: [1] }] });
const USERS = 20_000;

interface Routed {
  readonly status: number;
  readonly variant: string | null;
  readonly reason: string | null;
}

async function call(
  gateway: RunningGateway,
  headers: Readonly<Record<string, string>> = {},
): Promise<Routed> {
  const response = await fetch(gateway.url('/v2/models/digits/infer'), {
    method: 'POST',
    body: BODY,
    headers,
  });
  await response.arrayBuffer();
  return {
    status: response.status,
    variant: response.headers.get('x-experiment'),
    reason: response.headers.get('x-experiment-reason'),
  };
}

/** The variant of each of many users, asked over HTTP by 32 callers at once. `fetch` would take longer than what it asks. */
async function variantsOf(gateway: RunningGateway, users: number): Promise<readonly (string | null)[]> {
  const variants = Array<string | null>(users);
  const pool = new Pool(gateway.url(''), { connections: 32 });
  let next = 0;
  const ask = async (): Promise<void> => {
    while (next < users) {
      const user = next++;
      const { headers, body } = await pool.request({
        method: 'POST',
        path: '/v2/models/digits/infer',
        headers: { 'x-user-id': `user-${user}` },
        body: BODY,
      });
      await body.dump();
      const variant = headers['x-experiment'];
      variants[user] = typeof variant === 'string' ? variant : null;
    }
  };
  await Promise.all(Array.from({ length: 32 }, ask));
  await pool.close();
  return variants;
}

const shareOf = (variants: readonly (string | null)[], variant: string): number =>
  variants.filter((name) => name === `digits-cnn=${variant}`).length / variants.length;

/** Three standard deviations of a share that is `p` of `n`. */
const bound = (p: number, n: number): number => 3 * Math.sqrt((p * (1 - p)) / n);

const weights = (...pairs: readonly (readonly [name: string, weight: number])[]) => ({
  variants: pairs.map(([name, weight], index) => ({ name, version: index + 1, weight })),
});

test(
  '20,000 users split 90/10, keep their variant over many requests and a restart, and 80/20 moves just 10 % of them',
  { timeout: 300_000 },
  async () => {
    const files = { ...MODELS, 'experiments/digits.yaml': experimentFile() };
    const first = await startGateway({ files });
    const before = await variantsOf(first, USERS);
    expect(Math.abs(shareOf(before, 'v2') - 0.1)).toBeLessThan(bound(0.1, USERS));
    for (let user = 0; user < 10; user++) {
      const answers = await Promise.all(
        Array.from({ length: 100 }, () => call(first, { 'x-user-id': `user-${user}` })),
      );
      expect(new Set(answers.map(({ variant }) => variant))).toEqual(new Set([before[user]]));
    }
    await first[Symbol.asyncDispose]();

    await using second = await startGateway({ files });
    expect(await variantsOf(second, USERS)).toEqual(before);

    await second.folder.write({ 'experiments/digits.yaml': experimentFile(weights(['v1', 80], ['v2', 20])) });
    await eventually(
      async () =>
        metricValue(await second.metrics(), 'signalbox_config_reloads_total', { result: 'success' }) === 1,
    );
    const after = await variantsOf(second, USERS);
    const moved = after.filter((variant, user) => variant !== before[user]).length / USERS;
    const movedBack = after.filter(
      (variant, user) => before[user] === 'digits-cnn=v2' && variant === 'digits-cnn=v1',
    );
    expect(Math.abs(moved - 0.1)).toBeLessThan(bound(0.1, USERS));
    expect(movedBack).toEqual([]);
    expect(Math.abs(shareOf(after, 'v2') - 0.2)).toBeLessThan(bound(0.2, USERS));
  },
);

test('a bad edit is refused, told and counted, and the last good one stays', async () => {
  await using gateway = await startGateway({
    files: { ...MODELS, 'experiments/digits.yaml': experimentFile() },
  });
  await gateway.folder.write({ 'experiments/digits.yaml': experimentFile(weights(['v1', -1], ['v2', 10])) });
  await eventually(
    async () =>
      metricValue(await gateway.metrics(), 'signalbox_config_reloads_total', { result: 'failure' }) === 1,
  );
  expect(gateway.log.join('')).toContain('variants[0].weight: is -1; expected a whole number from 0');
  expect((await call(gateway, { 'x-experiment': 'v2' })).reason).toBe('override');
  expect(metricValue(await gateway.metrics(), 'signalbox_experiment_weight', { variant: 'v1' })).toBe(0.9);

  await gateway.folder.write({ 'experiments/digits.yaml': experimentFile({ status: 'paused' }) });
  await eventually(async () => (await call(gateway)).reason === 'default');
});

test('paused gives all the control, completed the winner, and without an experiment the highest version answers', async () => {
  await using gateway = await startGateway({
    files: { ...MODELS, 'experiments/digits.yaml': experimentFile({ status: 'paused' }) },
  });
  expect(await call(gateway)).toEqual({ status: 200, variant: 'digits-cnn=v1', reason: 'default' });

  await gateway.folder.write({
    'experiments/digits.yaml': experimentFile({ status: 'completed', winner: 'v2' }),
  });
  await eventually(async () => (await call(gateway)).variant === 'digits-cnn=v2');
  expect((await call(gateway)).reason).toBe('default');

  await gateway.folder.write({ 'experiments/digits.yaml': experimentFile({ status: 'draft' }) });
  await eventually(async () => (await call(gateway)).variant === null);
  const response = await fetch(gateway.url('/v2/models/digits/infer'), { method: 'POST', body: BODY });
  expect(await response.json()).toMatchObject({ model_version: '3' });
});

test('units outside the coverage get the control, reason default', async () => {
  await using gateway = await startGateway({
    files: { ...MODELS, 'experiments/digits.yaml': experimentFile({ coverage: 0 }) },
  });
  expect(await call(gateway, { 'x-user-id': 'ada' })).toEqual({
    status: 200,
    variant: 'digits-cnn=v1',
    reason: 'default',
  });
});

const BROKEN = { ...MODELS, 'models/digits/2/model.onnx': 'not ONNX' };
const ALL_TO_V2 = weights(['v1', 0], ['v2', 1]);

test('a variant whose version failed to load falls back to the control, and says so', async () => {
  await using gateway = await startGateway({
    files: { ...BROKEN, 'experiments/digits.yaml': experimentFile(ALL_TO_V2) },
  });
  expect(await call(gateway)).toEqual({ status: 200, variant: 'digits-cnn=v1', reason: 'fallback' });
});

test('with onUnavailable: error such a caller gets a 503 with the reason, and whose it was', async () => {
  await using gateway = await startGateway({
    files: { ...BROKEN, 'experiments/digits.yaml': experimentFile({ ...ALL_TO_V2, onUnavailable: 'error' }) },
  });
  const response = await fetch(gateway.url('/v2/models/digits/infer'), { method: 'POST', body: BODY });
  expect(response.status).toBe(503);
  expect(((await response.json()) as { error: string }).error).toMatch(
    /variant v2 of experiment digits-cnn is not ready: failed to load/,
  );
  const said = (from: Response) => [
    from.headers.get('x-experiment'),
    from.headers.get('x-experiment-reason'),
  ];
  expect(said(response)).toEqual(['digits-cnn=v2', 'split']);
  const headers = { 'x-experiment': 'v2' };
  const forced = await fetch(gateway.url('/predictions/digits'), { method: 'POST', body: BODY, headers });
  await forced.arrayBuffer();
  expect([forced.status, ...said(forced)]).toEqual([503, 'digits-cnn=v2', 'override']);
});

test('an error says whose it was: the variant that the call was routed to, and why; a pinned call’s says nothing', async () => {
  await using gateway = await startGateway({
    files: { ...MODELS, 'experiments/digits.yaml': experimentFile(ALL_TO_V2) },
  });
  const send = async (path: string, body: string, headers: Readonly<Record<string, string>> = {}) => {
    const response = await fetch(gateway.url(path), { method: 'POST', body, headers });
    await response.arrayBuffer();
    const said = ['x-experiment', 'x-experiment-reason', 'x-prediction-id'];
    return [response.status, ...said.map((name) => response.headers.get(name))];
  };
  const misfit = BODY.replace('[1,1]', '[1,2]').replace('[1]', '[1,2]');
  const path = '/v2/models/digits/infer';
  expect(await send(path, misfit)).toEqual([400, 'digits-cnn=v2', 'split', null]);
  expect(await send(path, '{', { 'x-experiment': 'v1' })).toEqual([400, 'digits-cnn=v1', 'override', null]);
  expect(await send('/predictions/digits', misfit)).toEqual([400, 'digits-cnn=v2', 'split', null]);
  expect(await send('/v2/models/digits/versions/1/infer', misfit)).toEqual([400, null, null, null]);
  expect(await send(path, BODY, { 'x-experiment': 'v9' })).toEqual([400, null, null, null]);
});

test('a version that is added while it runs is served within a few looks, and one that is replaced loses no request', async () => {
  await using gateway = await startGateway({ files: MODELS });
  const versionThatAnswers = async (): Promise<string> => {
    const response = await fetch(gateway.url('/v2/models/digits/infer'), { method: 'POST', body: BODY });
    expect(response.status).toBe(200);
    return ((await response.json()) as { model_version: string }).model_version;
  };
  expect(await versionThatAnswers()).toBe('3');
  const models = join(gateway.folder.path, 'models/digits');
  await cp(join(models, '3'), join(models, '4'), { recursive: true });
  await eventually(async () => (await versionThatAnswers()) === '4');
  await writeFile(join(models, '4/model.onnx'), identityModel('FP32', ['rows', 1]));
  const isSwapped = () =>
    gateway.log.filter((line) => line.includes('"version":4,"msg":"version ready"')).length === 2;
  await eventually(async () => (await versionThatAnswers()) === '4' && isSwapped());
});

test('requests are counted per variant, reason and outcome, with their times and batches', async () => {
  await using gateway = await startGateway({
    files: { ...MODELS, 'experiments/digits.yaml': experimentFile() },
  });
  for (let index = 0; index < 7; index++) await call(gateway, { 'x-experiment': 'v2' });
  await fetch(gateway.url('/v2/models/digits/versions/1/infer'), { method: 'POST', body: BODY });
  await fetch(gateway.url('/v2/models/digits/versions/1/infer'), { method: 'POST', body: '{' });
  await fetch(gateway.url('/v2/models/unheard-of/infer'), { method: 'POST', body: BODY });

  const text = await gateway.metrics();
  const forced = { model: 'digits', version: '2', experiment: 'digits-cnn', variant: 'v2' };
  const requests = 'signalbox_requests_total';
  expect(
    metricValue(text, requests, { ...forced, reason: 'override', outcome: 'ok', protocol: 'http' }),
  ).toBe(7);
  const pinned = { model: 'digits', version: '1', experiment: '', variant: '', reason: '' };
  expect(metricValue(text, requests, { ...pinned, outcome: 'ok' })).toBe(1);
  expect(metricValue(text, requests, { ...pinned, outcome: 'client_error' })).toBe(1);
  expect(metricValue(text, requests, { model: '', version: '', outcome: 'client_error' })).toBe(1);
  expect(text).not.toContain('unheard-of');
  for (const name of ['request', 'queue', 'compute']) {
    expect(metricValue(text, `signalbox_${name}_duration_seconds_count`, forced)).toBe(7);
    expect(metricValue(text, `signalbox_${name}_duration_seconds_sum`, forced)).toBeGreaterThan(0);
  }
  expect(metricValue(text, 'signalbox_batch_size_sum', { version: '2' })).toBe(7);
  expect(metricValue(text, 'signalbox_batches_total', { version: '2', release_reason: 'idle' })).toBe(7);
  expect(metricValue(text, 'signalbox_queue_depth', { version: '2' })).toBe(0);
  expect(metricValue(text, 'signalbox_instances', { version: '2', state: 'ready' })).toBe(1);
  expect(metricValue(text, 'signalbox_experiment_weight', { experiment: 'digits-cnn', variant: 'v2' })).toBe(
    0.1,
  );
});

test('an edited experiment does not wait for a model that takes long to load', async () => {
  await using gateway = await startGateway({
    files: { ...MODELS, 'experiments/digits.yaml': experimentFile() },
  });
  await gateway.folder.write({
    // It is run once over zeros when it is loaded, which takes a second or more.
    'models/slow/1/model.onnx': slowModel(30),
    'experiments/digits.yaml': experimentFile({ status: 'paused' }),
  });
  const lineWith = (text: string): number => gateway.log.findIndex((line) => line.includes(text));
  await eventually(() => lineWith('"model":"slow","version":1,"msg":"version ready"') >= 0);
  const told = [lineWith('experiment file took effect'), lineWith('"model":"slow"')];
  expect(told[0]).toBeGreaterThanOrEqual(0);
  expect(told[0]).toBeLessThan(told[1] ?? 0);
});

test('a model repository that goes missing is told once, and what is loaded stays', async () => {
  await using gateway = await startGateway({ files: MODELS });
  const models = join(gateway.folder.path, 'models');
  await rename(models, `${models}-away`);
  const told = () => gateway.log.filter((line) => line.includes('a model repository can not be read')).length;
  await eventually(() => told() > 0);
  expect((await call(gateway)).status).toBe(200);
  await rename(`${models}-away`, models);
  await cp(join(models, 'digits/3'), join(models, 'digits/4'), { recursive: true });
  await eventually(() => gateway.log.some((line) => line.includes('"version":4,"msg":"version ready"')));
  expect(told()).toBe(1);
});
