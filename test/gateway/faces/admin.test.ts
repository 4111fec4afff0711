import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createKey } from '../../../gateway/trust/api-key.ts';
import type { NewKey } from '../../../gateway/trust/api-key.ts';
import { keysYaml } from '../keys-yaml.ts';
import { experimentFile, startGateway } from '../running-gateway.ts';
import type { RunningGateway } from '../running-gateway.ts';
import { MEASURED_FILES, predict, sendOutcomes } from './predictions.ts';

const MODELS = `models: { repository: ./models, control: explicit, load: ["*"] }\n`;

async function ask(gateway: RunningGateway, path: string, { key, method = 'GET', body }: Asked = {}) {
  const response = await fetch(`http://${gateway.server.bound.admin ?? ''}${path}`, {
    method,
    headers: key === undefined ? {} : { authorization: `Bearer ${key.text}` },
    ...(body !== undefined && { body }),
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

interface Asked {
  readonly key?: NewKey;
  readonly method?: 'GET' | 'POST';
  readonly body?: string;
}

describe('the control plane', () => {
  let gateway: RunningGateway;
  beforeAll(async () => {
    gateway = await startGateway({
      admin: true,
      config: MODELS,
      files: {
        ...MEASURED_FILES,
        'experiments/draft.yaml': experimentFile({ key: 'draft', status: 'draft' }),
      },
    });
  });
  afterAll(() => gateway[Symbol.asyncDispose]());

  test('has an address of its own, and none of the data plane’s paths', async () => {
    expect(gateway.server.bound.admin).toMatch(/^127\.0\.0\.1:\d+$/);
    expect((await ask(gateway, '/health')).status).toBe(200);
    expect((await ask(gateway, '/v2')).status).toBe(404);
    expect((await fetch(gateway.url('/api/experiments'))).status).toBe(404);
  });

  test('lists what is served, with the share that each variant gets', async () => {
    const { body } = await ask(gateway, '/api/experiments');
    expect(body.experiments).toEqual([(await ask(gateway, '/api/experiments/digits-cnn')).body]);
    expect(body.experiments).toMatchObject([
      {
        key: 'digits-cnn',
        model: 'digits',
        status: 'running',
        phase: 1,
        control: 'v1',
        variants: [
          { name: 'v1', version: 1, weight: 50, share: 0.5 },
          { name: 'v2', version: 2, weight: 50, share: 0.5 },
        ],
        metrics: [{ name: 'correct', role: 'goal' }, { name: 'revenue' }],
      },
    ]);
  });

  test('an experiment that isn’t served is a 404 that names those that are', async () => {
    expect(await ask(gateway, '/api/experiments/draft/results')).toEqual({
      status: 404,
      body: { error: "there is no experiment 'draft'; there are digits-cnn" },
    });
  });

  test('results have every request and outcome that was answered before', async () => {
    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, user) => predict(gateway, `user-${user}`)),
    );
    const outcomes = answers.map(({ id }) => ({ prediction_id: id, metric: 'correct', value: 1 }));
    await sendOutcomes(gateway, outcomes);
    const late = await predict(gateway, 'user-40');
    const { status, body } = await ask(gateway, '/api/experiments/digits-cnn/results');
    expect(status).toBe(200);
    const unitsOf = (name: string) => [...answers, late].filter(({ variant }) => variant === name).length;
    expect(body).toMatchObject({
      experiment: 'digits-cnn',
      phase: 1,
      verdict: expect.stringMatching(/^keep running/) as string,
      health: { srm: { ok: true } },
      variants: [
        { name: 'v1', units: unitsOf('v1') },
        { name: 'v2', units: unitsOf('v2') },
      ],
    });
    expect(body.metrics).toContainEqual(
      expect.objectContaining({ name: 'correct', role: 'goal', variant: 'v2', units: 40, estimate: 1 }),
    );
  });

  test('models are unloaded and loaded, and told as they are afterwards', async () => {
    const ready = { version: 1, state: 'READY', queued: 0, instances: { ready: 1 } };
    expect((await ask(gateway, '/api/models')).body).toMatchObject({
      models: [{ name: 'digits', versions: [ready, { version: 2 }] }],
    });
    const change = (action: string, body?: string) =>
      ask(gateway, `/api/models/digits/${action}`, { method: 'POST', ...(body !== undefined && { body }) });
    expect((await change('unload')).body).toMatchObject({ name: 'digits' });
    expect((await predict(gateway, 'ada')).status).toBe(404);
    expect((await change('load')).body).toMatchObject({ name: 'digits', versions: [ready, { version: 2 }] });
    expect((await predict(gateway, 'ada')).status).toBe(200);
    expect(await change('load', '{"parameters": {"colour": "red"}}')).toMatchObject({ status: 400 });
  });
});

describe('with keys', () => {
  const keys = { reader: createKey(), writer: createKey(), caller: createKey(), other: createKey() };
  let gateway: RunningGateway;
  beforeAll(async () => {
    gateway = await startGateway({
      admin: true,
      config: `${MODELS}auth: { keys: ./keys.yaml }\n`,
      files: {
        ...MEASURED_FILES,
        'keys.yaml': keysYaml(
          [keys.reader, 'scopes: ["admin:read"]'],
          [keys.writer, 'scopes: ["admin:write"]'],
          [keys.caller, 'scopes: [infer, override, outcomes, metrics]'],
          [keys.other, 'scopes: ["admin:read"], models: [other]'],
        ),
      },
    });
  });
  afterAll(() => gateway[Symbol.asyncDispose]());

  test.each([
    ['GET', '/api/experiments', 'reader'],
    ['GET', '/api/experiments/digits-cnn', 'reader'],
    ['GET', '/api/experiments/digits-cnn/results', 'reader'],
    ['GET', '/api/models', 'reader'],
    ['POST', '/api/models/digits/load', 'writer'],
    ['POST', '/api/models/digits/unload', 'writer'],
  ] as const)('%s %s needs the scope of the %s', async (method, path, allowed) => {
    const status = async (key?: NewKey) => (await ask(gateway, path, { method, ...(key && { key }) })).status;
    expect(await status()).toBe(401);
    expect(await status(keys.caller)).toBe(403);
    expect(await status(allowed === 'reader' ? keys.writer : keys.reader)).toBe(403);
    expect(await status(keys[allowed])).toBe(200);
  });

  test('health needs none', async () => {
    expect((await ask(gateway, '/health')).status).toBe(200);
  });

  test('a key for other models sees nothing of this one’s experiment', async () => {
    const key = keys.other;
    expect((await ask(gateway, '/api/experiments', { key })).body).toEqual({ experiments: [] });
    expect((await ask(gateway, '/api/models', { key })).body).toEqual({ models: [] });
    expect((await ask(gateway, '/api/experiments/digits-cnn/results', { key })).status).toBe(404);
    expect((await ask(gateway, '/api/experiments/x', { key })).body).toEqual({
      error: "there is no experiment 'x'; none is served",
    });
  });
});
