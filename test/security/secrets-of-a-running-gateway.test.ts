/**
 * A gateway with every kind of secret runs, all that it leans on goes wrong, and everything that it writes is searched for the secrets:
 * its log, its answers, its metrics, its files, and what it tells receivers of spans, events and webhooks.
 */
import { join } from 'node:path';
import { credentials } from '@grpc/grpc-js';
import { Agent, request } from 'undici';
import { afterAll, describe, expect, test } from 'vitest';
import { until } from '../../bench/chaos/finding.ts';
import { childOf } from '../chaos/supervised.ts';
import { GrpcClient, inferRequest } from '../gateway/faces/grpc/grpc-client.ts';
import { freePort } from '../servers/free-port.ts';
import { findRedis, startRedis } from '../servers/redis-server.ts';
import { startEchoingServer } from './echoing-server.ts';
import {
  MARK,
  SECRETS,
  UPSTREAM_TOKEN,
  commandWithSecrets,
  plant,
  printed,
  writtenFiles,
} from './planted-secrets.ts';

const redis = await findRedis();
const agent = new Agent({ connect: { rejectUnauthorized: false } });
afterAll(() => agent.destroy());

/** What callers send that is none of their secrets' places. */
const SENT = `${MARK}-by-a-caller`;

const BODY = JSON.stringify({ inputs: [{ name: 'INPUT', shape: [1, 1], datatype: 'FP32', data: [1] }] });
const GRPC_BODY = inferRequest({
  model_name: 'simple',
  inputs: [{ name: 'INPUT', datatype: 'FP32', shape: [1, 1] }],
  raw_input_contents: [Buffer.from(Float32Array.of(7).buffer)],
});

const REFUSED_EDIT = /the configuration was (refused|not reloaded)/g;

describe.skipIf(redis.kind === 'missing')('a secret', () => {
  test('stands in nothing that a gateway writes, whatever goes wrong', { timeout: 180_000 }, async () => {
    const program = redis.kind === 'found' ? redis.program : '';
    await using store = await startRedis(program, ['--requirepass', SECRETS.REDIS_PASSWORD]);
    await using outside = await startEchoingServer();
    const planted = await plant(store.port, outside.port, await freePort());
    const { config, key, writer } = planted;
    await using folder = planted.folder;
    const file = join(folder.path, 'signalbox.yaml');
    await using gateway = commandWithSecrets(['serve', '--config', file]);
    const { http = '', grpc = '', admin = '', metrics = '', pid } = await gateway.ready();
    /** What was written, and where it came from. */
    const written = new Map<string, string>();
    let asked = 0;
    const ask = async (
      url: string,
      headers: Readonly<Record<string, string>> = {},
      body?: string,
    ): Promise<number> => {
      const method = body === undefined ? 'GET' : 'POST';
      const answer = await request(url, { method, headers, body: body ?? null, dispatcher: agent });
      const text = await answer.body.text();
      written.set(`answer ${++asked} to ${method} ${url}`, JSON.stringify(answer.headers) + text);
      return answer.statusCode;
    };
    const infer = (headers: Readonly<Record<string, string>>, query = '', body = BODY): Promise<number> =>
      ask(`https://${http}/v2/models/simple/infer${query}`, headers, body);
    const [asKey, asWriter] = [{ 'x-api-key': key.text }, { 'x-api-key': writer.text }];
    const away = { ...asWriter, 'x-experiment': 'away' };
    const post = (action: string, variant?: string): Promise<number> =>
      ask(
        `http://${admin}/api/experiments/simple-test/${action}`,
        asWriter,
        JSON.stringify({ reason: 'a test', ...(variant !== undefined && { variant }) }),
      );
    const logged = (text: string): boolean => gateway.stderr().includes(text);

    // All is well: spans, events, outcomes and the webhook's messages go out.
    expect(await infer(asKey)).toBe(200);
    expect(await infer(away)).toBe(200);
    expect(await post('promote', 'away')).toBe(200);

    // Callers with the wrong credentials, or with credentials in the wrong place.
    const token = `${Buffer.from('{"alg":"RS256","kid":"a"}').toString('base64url')}.${SENT}.${SENT}`;
    const refusals = await Promise.all([
      infer({}),
      infer({ 'x-api-key': `sb_${key.id}_${SENT}` }),
      infer({ 'x-api-key': SENT }),
      infer({ 'x-api-key': `${key.text}a` }),
      infer({ authorization: `Basic ${SENT}` }),
      infer({ authorization: `Bearer ${token}` }),
      infer({ authorization: `Bearer ${key.text}`, 'x-api-key': writer.text }),
      infer({ ...asKey, 'x-experiment': 'away' }),
      infer({}, `?key=${SENT}&authorization=${key.text}`),
      ask(`https://${http}/v2/models/simple/versions/1/infer`, asWriter, `{"${SENT}`),
      ask(`http://${admin}/api/keys`, asKey),
    ]);
    expect(refusals.filter((status) => status < 400)).toEqual([]);
    using client = new GrpcClient(grpc, credentials.createInsecure());
    for (const headers of [{ 'x-api-key': SENT }, { authorization: `Bearer ${SENT}` }, asKey]) {
      const answer = await client.call('ModelInfer', GRPC_BODY, headers).catch(String);
      written.set(`gRPC answer ${++asked}`, JSON.stringify(answer));
    }

    // All that can be read.
    const control = ['', '/results', '/history'].map((end) => `/api/experiments/simple-test${end}`);
    for (const path of [
      ...control,
      ...['/api/experiments', '/api/models', '/api/keys', '/api/audit', '/models', '/models/simple'],
      ...['/health', '/docs', '/docs/json'],
    ])
      await ask(`http://${admin}${path}`, asWriter);
    for (const path of ['/v2', '/v2/models/simple', '/v2/models/simple/config', '/v2/models/stats'])
      await ask(`https://${http}${path}`, asWriter);

    // Everybody outside refuses, and repeats what they were told.
    for (const status of [401, 500, 503]) {
      outside.refuse(status);
      await infer(away);
      await infer({ ...away, 'content-type': 'application/json', 'x-user-id': `unit-${status}` });
      await infer({ authorization: `Bearer ${token}` });
      await post(status === 500 ? 'promote' : 'rollback', status === 500 ? 'away' : undefined);
    }
    await until('the refusal of spans was told', () => logged('spans were not delivered'));
    await until('the refusal of events was told', () => logged('exposures were dropped'));
    await until('the refusal of the webhook was told', () => logged('"webhook":"away"'));

    // Edits that are refused, and say why.
    for (const edit of [
      `${config}\nsecret: ${MARK}-short\n`,
      config.replace("secret: ['${SIGNING}', '${OLD_SIGNING}']", `secret: ${MARK}-abc`),
      config.replaceAll("'http://user", "'htp://user"),
      config.replaceAll('redis://default', 'redis//default'),
      config.replace('${SIGNING}', `${MARK}-another-secret-for-signing`),
      config.replace('${HOOK_SECRET}', `${MARK}-another-secret-for-webhooks`),
    ]) {
      const refused = (): number => gateway.stderr().match(REFUSED_EDIT)?.length ?? 0;
      const before = refused();
      await folder.write({ 'signalbox.yaml': edit });
      process.kill(Number(pid), 'SIGHUP');
      await until('an edit was refused', () => refused() > before);
    }
    await folder.write({
      'signalbox.yaml': config,
      'experiments/other.yaml': `key: other\nsecret: ${SENT}: ${SENT}\n`,
      'tls/server.key': `-----BEGIN PRIVATE KEY-----\n${SENT}\n-----END PRIVATE KEY-----\n`,
      'keys.yaml': `keys:\n  - { id: "${key.id}", hash: "${key.text}", scopes: [infer] }\n`,
    });
    await until('the experiment was refused', () => logged('experiment file refused'));
    await until('the certificate was refused', () => logged('a certificate was refused'));
    await until('the keys were refused', () => logged('keys refused'));

    // People look what is wrong.
    const admins = ['--admin', `http://${admin}`];
    const commands = [
      ['config', file],
      ['validate', file],
      ['doctor'],
      ['status', ...admins],
      ['results', 'simple-test', ...admins],
      ['keys', 'list', ...admins],
      ['backup', join(folder.path, 'state.backup'), '--config', file],
      ['serve', '--config', file],
    ];
    await Promise.all(
      commands.map(async (args) => {
        await using command = commandWithSecrets(args, { SIGNALBOX_KEY: writer.text });
        await command.ended;
        written.set(`signalbox ${args.join(' ')}`, printed(command));
      }),
    );

    // The store goes away, and then the process crashes and starts without it.
    await store.kill();
    await infer(asWriter);
    await post('promote', 'away');
    await ask(`http://${metrics}/metrics`);
    process.kill(await childOf(Number(pid)), 'SIGSEGV');
    await until('the crash was told', () => logged('the server died'));
    gateway.child.kill('SIGTERM');
    await gateway.ended;

    written.set('the log', gateway.stderr());
    written.set('stdout', gateway.stdout());
    for (const [name, text] of await writtenFiles(folder)) written.set(`the file ${name}`, text);
    for (const { path, headers, body } of outside.heard) {
      written.set(`body ${++asked} to ${placeOf(path)}`, body);
      // Each has a place where its own secret comes; in no other header is there one.
      const { authorization, ...others } = headers;
      written.set(`headers ${++asked} to ${placeOf(path)}`, JSON.stringify(others));
      if (authorization !== undefined) expect([path, authorization]).toEqual([path, ownSecretOf(path)]);
    }
    const lines = [...written].flatMap(([from, text]) =>
      text.split('\n').map((line) => `${withoutQuery(from)}: ${line}`),
    );
    expect(lines.filter((line) => planted.writes(line))).toEqual([]);

    // The walk went where secrets could have come out.
    const told = new Set(outside.heard.map(({ path }) => placeOf(path)));
    for (const path of ['/v1/logs', '/v1/traces', '/keys', '/v2/models/simple/infer', 'the webhook'])
      expect(told).toContain(path);
    const files = [...written.keys()].filter((from) => from.startsWith('the file'));
    expect(files).toEqual(expect.arrayContaining(['the file audit.jsonl', 'the file state.backup']));
    expect(logged('"msg":"request"')).toBe(true);
  });
});

const withoutQuery = (url: string): string => url.split('?')[0] ?? '';

/** A path of the outside in words, as that of the webhook is a secret itself. */
const placeOf = (path: string): string =>
  path.includes(SECRETS.HOOK_TOKEN) ? 'the webhook' : withoutQuery(path);

/** What the authorization header of a call to the outside has to be. */
function ownSecretOf(path: string): string {
  if (path.startsWith('/v2')) return UPSTREAM_TOKEN;
  if (path.startsWith('/v1/traces')) return SECRETS.OTLP_HEADER;
  if (path.startsWith('/v1/logs')) return SECRETS.EVENTS_HEADER;
  const password = path.startsWith('/keys') ? SECRETS.ISSUER_PASSWORD : SECRETS.HOOK_PASSWORD;
  return `Basic ${Buffer.from(`user:${password}`).toString('base64')}`;
}
