import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createKey } from '../../../gateway/trust/api-key.ts';
import { addingModel } from '../../models/small-models.ts';
import { findRedis, startRedis } from '../../servers/redis-server.ts';
import { keysYaml } from '../keys-yaml.ts';
import { eventually, startGateway } from '../running-gateway.ts';
import type { RunningGateway } from '../running-gateway.ts';

const root = createKey();
const narrow = createKey();
const reader = createKey();
const guest = createKey();
const ended = createKey();
const GUEST_ENDS = new Date(Date.now() + 3_600_000).toISOString();

const KEYS = keysYaml(
  [root, 'scopes: [infer, outcomes, "admin:read", "admin:write"]'],
  [narrow, 'scopes: [infer, "admin:read", "admin:write"], models: [simple]'],
  [reader, 'scopes: ["admin:read"]'],
  [ended, 'scopes: [infer], expires: "2026-01-01"'],
  [
    guest,
    `scopes: [infer, "admin:write"], rate: 100/m burst 50, concurrency: 4, daily: 1000, priority: low, expires: "${GUEST_ENDS}"`,
  ],
);

let gateway: RunningGateway;
beforeAll(async () => {
  gateway = await startGateway({
    admin: true,
    config: 'auth: { keys: ./keys.yaml }\n',
    files: {
      'keys.yaml': KEYS,
      'models/simple/1/model.onnx': addingModel(1),
      'models/other/1/model.onnx': addingModel(1),
    },
  });
});
afterAll(() => gateway[Symbol.asyncDispose]());

interface Answer {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

async function ask(
  method: string,
  path: string,
  key: string,
  body?: unknown,
  of: RunningGateway = gateway,
): Promise<Answer> {
  const response = await fetch(`http://${of.server.bound.admin ?? ''}${path}`, {
    method,
    headers: { 'x-api-key': key },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  return { status: response.status, body: (await response.json()) as Answer['body'] };
}

async function infer(key: string, of: RunningGateway = gateway, model = 'simple'): Promise<number> {
  const body = JSON.stringify({
    inputs: [{ name: 'INPUT', datatype: 'FP32', shape: [1, 2], data: [1, 2] }],
  });
  const url = of.url(`/v2/models/${model}/infer`);
  return (await fetch(url, { method: 'POST', headers: { 'x-api-key': key }, body })).status;
}

describe('keys over the control plane', () => {
  test('are made, and open at once; shown without what opens them; rotated; and revoked at once', async () => {
    const wish = { name: 'job', scopes: ['infer'], models: ['simple'], rate: '100/s', expires: '90d' };
    const { status, body } = await ask('POST', '/api/keys', root.text, wish);
    expect(status).toBe(201);
    const { id, key } = body as { id: string; key: string };
    expect(await infer(key)).toBe(200);
    expect(await infer(key, gateway, 'other')).toBe(403);

    const listed = await ask('GET', '/api/keys', reader.text);
    const text = JSON.stringify(listed.body);
    expect(text).toContain(id);
    expect(text).not.toContain(key.slice(-43));
    expect(text).not.toContain('hash');

    const rotated = await ask('POST', `/api/keys/${id}/rotate`, root.text, { keep: '1h' });
    expect(rotated.body).toMatchObject({ replaces: id });
    expect(await infer(String(rotated.body.key))).toBe(200);
    expect(await infer(key)).toBe(200);

    expect((await ask('DELETE', `/api/keys/${id}`, root.text)).body).toEqual({ revoked: id });
    expect(await infer(key)).toBe(401);
    expect(await infer(String(rotated.body.key))).toBe(200);
    expect(gateway.log.join('')).not.toContain(key.slice(-43));
  });

  test('take their scopes from whoever makes them, who gives no more than they have', async () => {
    for (const [by, wish] of [
      [reader, { name: 'x', scopes: ['infer'] }],
      [root, { name: 'x', scopes: ['override'] }],
      [narrow, { name: 'x', scopes: ['infer'] }],
      [narrow, { name: 'x', scopes: ['infer'], models: ['other'] }],
    ] as const) {
      expect((await ask('POST', '/api/keys', by.text, wish)).status).toBe(403);
    }
    expect((await ask('DELETE', `/api/keys/${root.id}`, narrow.text)).status).toBe(403);
    expect((await ask('POST', `/api/keys/${root.id}/rotate`, narrow.text)).status).toBe(403);
    const own = await ask('GET', '/api/keys', narrow.text);
    expect(JSON.stringify(own.body)).not.toContain(root.id);
  });

  test.each([
    ['no name', { scopes: ['infer'] }],
    ['a scope that is none', { name: 'x', scopes: ['root'] }],
    ['a rate that is none', { name: 'x', scopes: ['infer'], rate: 'fast' }],
    ['an end that has passed', { name: 'x', scopes: ['infer'], expires: '2026-01-01' }],
    ['a name that would act on a terminal', { name: 'x\u001b[2J', scopes: ['infer'] }],
    ['an end that is none', { name: 'x', scopes: ['infer'], expires: 'soon' }],
    ['an unknown field', { name: 'x', scopes: ['infer'], hash: 'a'.repeat(64) }],
    ['an id of its own', { name: 'x', scopes: ['infer'], id: 'abcd' }],
  ])('%s is a 400', async (_, wish) => {
    expect((await ask('POST', '/api/keys', root.text, wish)).status).toBe(400);
  });

  test('a key with an end and limits makes keys that have them too', async () => {
    const { status, body } = await ask('POST', '/api/keys', guest.text, { name: 'mine', scopes: ['infer'] });
    expect(status).toBe(201);
    const { keys } = (await ask('GET', '/api/keys', reader.text)).body as { keys: { id: string }[] };
    expect(keys.find(({ id }) => id === body.id)).toMatchObject({
      rate: '100/m burst 50',
      concurrency: 4,
      daily: 1000,
      priority: 'low',
      expires: GUEST_ENDS,
    });
    const less = { rate: '1/m', concurrency: 1, daily: 10, expires: '1m' };
    const lesser = await ask('POST', '/api/keys', guest.text, { name: 'less', scopes: ['infer'], ...less });
    expect(lesser.status).toBe(201);
  });

  test.each([
    ['a later end', { expires: '90d' }, 'an end after'],
    ['a higher rate', { rate: '2/s burst 1' }, 'a rate above 100/m burst 50'],
    ['a higher burst', { rate: '100/m burst 51' }, 'a rate above 100/m burst 50'],
    ['more at once', { concurrency: 5 }, 'a concurrency above 4'],
    ['more a day', { daily: 1001 }, 'more than 1000 a day'],
    ['a higher priority', { priority: 'normal' }, 'a priority above low'],
  ])('nor gives %s than its own', async (_, more, message) => {
    const wish = { name: 'more', scopes: ['infer'], ...more };
    const { status, body } = await ask('POST', '/api/keys', guest.text, wish);
    expect([status, body.error]).toEqual([403, expect.stringContaining(message)]);
  });

  test('nor gets more by rotating a key that has it; one that has ended has no successor', async () => {
    const wish = { name: 'for good', scopes: ['infer'] };
    const { body } = await ask('POST', '/api/keys', root.text, wish);
    const path = `/api/keys/${String(body.id)}`;
    expect((await ask('POST', `${path}/rotate`, guest.text, {})).status).toBe(403);
    expect((await ask('DELETE', path, guest.text)).status).toBe(200);
    const rotated = await ask('POST', `/api/keys/${ended.id}/rotate`, root.text, {});
    expect([rotated.status, rotated.body.error]).toEqual([400, expect.stringContaining('make a new key')]);
    expect((await ask('POST', `/api/keys/${guest.id}/rotate`, guest.text, { keep: '1h' })).status).toBe(201);
  });

  test('one that is not there is a 404 that says which there are', async () => {
    const { status, body } = await ask('DELETE', '/api/keys/abcd', root.text);
    expect(status).toBe(404);
    expect(String(body.error)).toContain(root.id);
  });

  test('are in the audit log, with who changed them', async () => {
    const { store } = gateway.server.gateway.state;
    const entries = await store.readAudit(0, 100);
    expect(JSON.stringify(entries)).toContain('key.create');
    expect(
      entries.every(({ entry }) => [root.id, guest.id].some((id) => JSON.stringify(entry).includes(id))),
    ).toBe(true);
  });
});

test('without keys there are none to show', async () => {
  await using open = await startGateway({
    admin: true,
    files: { 'models/simple/1/model.onnx': addingModel(1) },
  });
  const { status, body } = await ask('GET', '/api/keys', '', undefined, open);
  expect(status).toBe(409);
  expect(body.error).toContain('`auth.keys` is not configured');
});

const found = await findRedis();

test.skipIf(found.kind === 'missing')(
  'a key in Redis opens and is revoked on all replicas, whichever was asked',
  async () => {
    await using redis = await startRedis(found.kind === 'found' ? found.program : '');
    const files = { 'models/simple/1/model.onnx': addingModel(1) };
    const config = `auth: { keys: state }\nstate: ${redis.url}\n`;
    await using a = await startGateway({ admin: true, config, files });
    await using b = await startGateway({ admin: true, config, files });
    expect(await infer(root.text, a)).toBe(401);
    const desk = a.server.gateway.door.keyDesk;
    const grant = { models: [], rate: undefined, concurrency: undefined, daily: undefined };
    const made = await desk?.create({
      ...grant,
      name: 'first',
      scopes: ['infer', 'admin:write'],
      priority: undefined,
      expires: undefined,
    });
    const first = made?.key ?? '';
    expect(await infer(first, a)).toBe(200);
    await eventually(async () => (await infer(first, b)) === 200);
    const second = await ask('POST', '/api/keys', first, { name: 'second', scopes: ['infer'] }, b);
    const { id, key } = second.body as { id: string; key: string };
    expect(await infer(key, b)).toBe(200);
    await eventually(async () => (await infer(key, a)) === 200);
    await ask('DELETE', `/api/keys/${id}`, first, undefined, b);
    expect(await infer(key, b)).toBe(401);
    await eventually(async () => (await infer(key, a)) === 401);
  },
);
