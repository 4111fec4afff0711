import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createKey } from '../../../gateway/trust/api-key.ts';
import { addingModel } from '../../models/small-models.ts';
import { startReceiver } from '../../servers/webhook-receiver.ts';
import type { WebhookReceiver } from '../../servers/webhook-receiver.ts';
import { run } from '../../e2e/cli.ts';
import { askAdmin } from '../faces/admin-client.ts';
import { GrpcClient } from '../faces/grpc/grpc-client.ts';
import { keysYaml } from '../keys-yaml.ts';
import { eventually, startGateway } from '../running-gateway.ts';
import type { RunningGateway } from '../running-gateway.ts';

const root = createKey();
const narrow = createKey();
const SCOPES = '[infer, "admin:read", "admin:write"]';

let gateway: RunningGateway;
let receiver: WebhookReceiver;
beforeAll(async () => {
  receiver = await startReceiver();
  gateway = await startGateway({
    admin: true,
    grpc: true,
    config:
      'auth: { keys: ./keys.yaml }\nmodels: { repository: ./models, control: explicit, load: [mine] }\n' +
      `telemetry: { audit: { file: ./audit.jsonl } }\nwebhooks: [{ name: ops, url: "${receiver.url}" }]\n`,
    files: {
      'models/mine/1/model.onnx': addingModel(1),
      'models/other/1/model.onnx': addingModel(2),
      'models/third/1/model.onnx': addingModel(2),
      'models/broken/1/model.onnx': 'no model',
      'models/new.onnx': addingModel(3),
      'keys.yaml': keysYaml(
        [root, `name: on call, scopes: ${SCOPES}`],
        [narrow, `scopes: ${SCOPES}, models: [mine]`],
      ),
    },
  });
});
afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
  await receiver[Symbol.asyncDispose]();
});

type Entry = Readonly<Record<string, unknown>>;

const logged = async (key = root): Promise<readonly Entry[]> =>
  (await askAdmin(gateway, '/api/audit?limit=1000', { key })).body.entries as Entry[];

const filed = async (): Promise<readonly Entry[]> =>
  (await readFile(join(gateway.folder.path, 'audit.jsonl'), 'utf8'))
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Entry);

/** The entries that something adds, which are in the file as soon as it is answered. */
async function entriesOf(work: () => Promise<unknown>): Promise<readonly Entry[]> {
  const before = (await logged()).length;
  await work();
  const added = (await logged()).slice(before);
  expect((await filed()).slice(before)).toEqual(added);
  return added;
}

async function ask(method: string, path: string, body?: object) {
  const onAdmin = /^\/(api|models)/.test(path);
  const base = onAdmin ? `http://${gateway.server.bound.admin ?? ''}` : gateway.url('');
  const response = await fetch(base + path, {
    method,
    headers: { 'x-api-key': root.text },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, body: (text === '' ? {} : JSON.parse(text)) as Entry };
}

const ACTOR = { kind: 'key', id: root.id, name: 'on call', address: '127.0.0.1' };

const versions = (state: string, instances: number | null) => ({
  versions: [{ version: 1, state, instances }],
});

test('keys that are made, rotated and revoked are in it with what they may, and never with what opens them', async () => {
  let made: Entry = {};
  const entries = await entriesOf(async () => {
    made = (await ask('POST', '/api/keys', { name: 'job', scopes: ['infer'], models: ['mine'] })).body;
    await ask('POST', `/api/keys/${String(made.id)}/rotate`, {});
    await ask('DELETE', `/api/keys/${String(made.id)}`);
  });
  const grant = { name: 'job', scopes: ['infer'], models: ['mine'], expires: null };
  expect(entries).toMatchObject([
    { kind: 'key', action: 'key.create', actor: ACTOR, key: made.id, before: null, after: grant },
    { kind: 'key', action: 'key.rotate', actor: ACTOR, key: made.id, before: grant, after: { name: 'job' } },
    { kind: 'key', action: 'key.revoke', actor: ACTOR, key: made.id, before: { name: 'job' }, after: null },
  ]);
  expect(JSON.stringify(entries)).not.toContain(String(made.key).slice(-43));
  expect(JSON.stringify(entries)).not.toContain('hash');
});

test('so is what is done to models, over either plane', async () => {
  const config = JSON.stringify({ max_batch_size: 4 });
  const entries = await entriesOf(async () => {
    await ask('POST', '/api/models/other/load', { parameters: { config } });
    await ask('PUT', '/models/other?min_worker=2&synchronous=true');
    await ask('POST', '/v2/repository/models/other/unload', {});
    await ask('POST', '/models?url=new.onnx&model_name=new');
    await ask('DELETE', '/models/new');
  });
  expect(entries).toMatchObject([
    { action: 'model.load', model: 'other', before: versions('UNAVAILABLE', null) },
    { action: 'model.scale', after: versions('READY', 2) },
    { action: 'model.unload', before: versions('READY', 2), after: versions('UNAVAILABLE', null) },
    { action: 'model.register', model: 'new', url: 'new.onnx', before: { versions: [] } },
    { action: 'model.unload', model: 'new' },
  ]);
  for (const entry of entries) expect(entry).toMatchObject({ kind: 'model', actor: ACTOR });
  expect(entries[0]).toMatchObject({ configDigest: expect.stringMatching(/^[0-9a-f]{64}$/) as string });
});

test('and over gRPC, the log’s level too', async () => {
  using client = new GrpcClient(gateway.server.bound.grpc ?? '');
  const headers = { 'x-api-key': root.text };
  const entries = await entriesOf(async () => {
    await client.call('RepositoryModelLoad', { model_name: 'third' }, headers);
    await client.call('RepositoryModelUnload', { model_name: 'third' }, headers);
    await client.call('LogSettings', { settings: { log_verbose_level: { uint32_param: 1 } } }, headers);
    await ask('POST', '/v2/logging', { log_verbose_level: 0 });
    // Asking changes nothing, and neither does what is so already.
    await client.call('LogSettings', {}, headers);
    await ask('POST', '/v2/logging', { log_verbose_level: 0 });
  });
  expect(entries).toMatchObject([
    { action: 'model.load', model: 'third', actor: ACTOR },
    { action: 'model.unload', model: 'third', actor: ACTOR },
    {
      kind: 'settings',
      action: 'log.set',
      before: { level: 'info' },
      after: { level: 'debug' },
      actor: ACTOR,
    },
    {
      kind: 'settings',
      action: 'log.set',
      before: { level: 'debug' },
      after: { level: 'info' },
      actor: ACTOR,
    },
  ]);
});

test('what is refused is not in it; what failed is where something changed', async () => {
  const entries = await entriesOf(async () => {
    await ask('POST', '/api/models/nobody/load');
    await ask('POST', '/api/models/nobody/unload');
    await ask('POST', '/api/keys', { name: 'job', scopes: [] });
    await ask('POST', '/v2/logging', { log_format: 'ISO8601' });
    await ask('POST', '/api/models/broken/load');
  });
  expect(entries.map(({ model, fault }) => [model, fault])).toEqual([]);
});

test('webhooks are posted all of it', async () => {
  const actions = (await logged()).map(({ action }) => action);
  await eventually(() => receiver.received.length >= actions.length);
  expect(receiver.received.map(({ headers }) => headers['x-signalbox-event'])).toEqual(actions);
});

test('a key for some models sees what was done to these, and to keys for these', async () => {
  const seen = await logged(narrow);
  expect(new Set(seen.map(({ kind }) => kind))).toEqual(new Set(['key']));
  await ask('POST', '/api/models/mine/load');
  expect((await logged(narrow)).at(-1)).toMatchObject({ action: 'model.load', model: 'mine' });
});

test('the terminal shows a log of all kinds, and of what it does not know that it is there', async () => {
  // As the changes of keys were written once.
  await gateway.server.gateway.state.store.appendAudit({
    actor: root.id,
    atMs: 1,
    action: 'key created',
    key: 'a1',
  });
  const url = `http://${gateway.server.bound.admin ?? ''}`;
  const args = ['gateway/cli/main.ts', 'audit', '-n', '100', '--admin', url];
  await using command = run(process.execPath, args, { ...process.env, SIGNALBOX_KEY: root.text });
  expect([await command.ended, command.stderr()]).toEqual([0, '']);
  const out = command.stdout();
  expect(out).toMatch(
    /key \w+ \(job\) {2}key\.create, by on call from 127\.0\.0\.1\n {4}infer, of mine, for good/,
  );
  expect(out).toMatch(/model other {2}model\.scale, .*\n {4}version 1 READY, instances 1 → .*instances 2/);
  expect(out).toContain('level info → debug');
  expect(out).toContain('key created, of a form that is not shown here; --json has it');
});
