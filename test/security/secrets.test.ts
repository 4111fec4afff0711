/** Every secret that a configuration can hold is planted, and nothing that is shown or refused has one in it. */
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { loadConfig } from '../../gateway/config/config.ts';
import { createKey } from '../../gateway/trust/api-key.ts';
import { run } from '../e2e/cli.ts';
import type { Running } from '../e2e/cli.ts';
import { identityModel } from '../models/onnx-graph.ts';
import { temporaryFolder } from '../models/temporary-folder.ts';
import type { TemporaryFolder } from '../models/temporary-folder.ts';
import { freePort } from '../servers/free-port.ts';

const MARK = 'planted';

/** From the environment, as secrets are told. */
const SECRETS = {
  REDIS_PASSWORD: `${MARK}-redis-password`,
  CACHE_PASSWORD: `${MARK}-cache-password`,
  SIGNING: `${MARK}-secret-that-signs-predictions`,
  OLD_SIGNING: `${MARK}-secret-that-signed-predictions`,
  HOOK_TOKEN: `${MARK}-token-in-the-address-of-a-webhook`,
  HOOK_SECRET: `${MARK}-secret-that-signs-webhooks`,
  OTLP_PASSWORD: `${MARK}-password-in-the-address-of-a-receiver`,
  OTLP_QUERY: `${MARK}-token-in-the-query-of-a-receiver`,
  OTLP_HEADER: `${MARK}-header-of-a-receiver`,
  EVENTS_PASSWORD: `${MARK}-password-in-the-address-for-events`,
  EVENTS_HEADER: `${MARK}-header-for-events`,
  ISSUER_PASSWORD: `${MARK}-password-in-the-address-of-keys`,
} as const;

/** In an experiment's file. */
const UPSTREAM_TOKEN = `${MARK}-token-for-a-variant`;

const folders: TemporaryFolder[] = [];
afterAll(() => Promise.all(folders.map((folder) => folder[Symbol.asyncDispose]())));

/** Everything of a process that somebody may see. */
const printed = (running: Running): string => running.stdout() + running.stderr();

async function plant(redisPort: number) {
  const nobody = await freePort();
  const [key, writer] = [createKey(), createKey()];
  const config = `
listen: { http: 127.0.0.1:0, metrics: 127.0.0.1:0, admin: 127.0.0.1:0 }
models: { repository: ./models, control: none }
experiments: ./experiments
state: redis://default:\${REDIS_PASSWORD}@127.0.0.1:${redisPort}/0
cache: { redis: 'redis://:\${CACHE_PASSWORD}@127.0.0.1:${nobody}/1' }
secret: ['\${SIGNING}', '\${OLD_SIGNING}']
auth:
  keys: ./keys.yaml
  jwt: { issuer: 'https://id.example', audience: box, jwks: 'http://user:\${ISSUER_PASSWORD}@127.0.0.1:${nobody}/keys' }
webhooks:
  - { name: away, url: 'http://127.0.0.1:${nobody}/\${HOOK_TOKEN}?t=\${HOOK_TOKEN}', secret: '\${HOOK_SECRET}', timeout: 200ms }
telemetry:
  logs: { level: debug, access: 1 }
  sampleRatio: 1
  otlp:
    endpoint: 'http://user:\${OTLP_PASSWORD}@127.0.0.1:${nobody}/?token=\${OTLP_QUERY}'
    headers: { authorization: '\${OTLP_HEADER}' }
  events:
    sink: otlp
    endpoint: 'http://user:\${EVENTS_PASSWORD}@127.0.0.1:${nobody}/v1/logs?token=\${OTLP_QUERY}'
    headers: { authorization: '\${EVENTS_HEADER}' }
    timeout: 200ms
`;
  const folder = await temporaryFolder({
    'signalbox.yaml': config,
    'keys.yaml':
      `keys:\n  - { id: "${key.id}", hash: "${key.hash}", scopes: [infer] }\n` +
      `  - { id: "${writer.id}", hash: "${writer.hash}", scopes: [infer, override, "admin:read", "admin:write"] }\n`,
    'models/simple/1/model.onnx': identityModel('FP32', ['batch', 1]),
    'models/simple/config.yaml': 'response_cache: { enable: true }\n',
    'experiments/simple.yaml': JSON.stringify({
      key: 'simple-test',
      model: 'simple',
      status: 'running',
      control: 'v1',
      variants: [
        { name: 'v1', version: 1, weight: 50 },
        {
          name: 'away',
          weight: 50,
          upstream: { url: `http://127.0.0.1:${nobody}`, headers: { authorization: UPSTREAM_TOKEN } },
        },
      ],
    }),
  });
  folders.push(folder);
  return { folder, config, key, writer };
}

const environment = { ...process.env, ...SECRETS };

function command(...args: readonly string[]): Running {
  return run(process.execPath, ['gateway/cli/main.ts', ...args], environment);
}

describe('a secret', () => {
  test('is redacted by `signalbox config`, which leaves nothing out', async () => {
    const { folder } = await plant(1);
    await using shown = command('config', join(folder.path, 'signalbox.yaml'), '--json');
    expect(await shown.ended).toBe(0);
    expect(printed(shown)).not.toContain(MARK);
    expect(JSON.parse(shown.stdout())).toMatchObject({
      secret: ['[redacted]', '[redacted]'],
      state: expect.stringContaining('redis://default:[redacted]@127.0.0.1') as string,
      cache: { redis: expect.stringContaining('redis://:[redacted]@127.0.0.1') as string },
      auth: { jwt: { jwks: expect.stringContaining('http://[redacted]@127.0.0.1') as string } },
      webhooks: [{ name: 'away', url: '[redacted]', secret: '[redacted]', timeout: '200ms' }],
      telemetry: {
        otlp: {
          endpoint: expect.stringMatching(
            /^http:\/\/\[redacted\]@127\.0\.0\.1:\d+\/\?token=\[redacted\]/,
          ) as string,
          headers: { authorization: '[redacted]' },
        },
        events: {
          sink: 'otlp',
          endpoint: expect.stringMatching(
            /^http:\/\/\[redacted\]@127\.0\.0\.1:\d+\/v1\/logs\?token=\[redacted\]/,
          ) as string,
          headers: { authorization: '[redacted]' },
          timeout: '200ms',
        },
      },
    });
  });

  test.each([
    ['a secret that is too short', (text: string) => text.replace(/^secret: .*$/m, `secret: ${MARK}-abc`)],
    [
      'a list of three secrets',
      (text: string) => text.replace(/^secret: .*$/m, `secret: [${MARK}-a, ${MARK}-b, ${MARK}-c]`),
    ],
    ['addresses that are none', (text: string) => text.replaceAll("'http://user", "'htp://user")],
    ['a state that is no address', (text: string) => text.replace('redis://default', 'redis//default')],
    [
      'a webhook’s secret that is too short',
      (text: string) => text.replace("'${HOOK_SECRET}'", `'${MARK}-abc'`),
    ],
    ['YAML that is broken', (text: string) => text.replace(/^secret: .*$/m, `secret: [${MARK}-a: "${MARK}`)],
  ])('is not repeated where it is refused: %s', async (_, change) => {
    const { folder, config } = await plant(1);
    await folder.write({ 'signalbox.yaml': change(config) });
    const refusal = await loadConfig(join(folder.path, 'signalbox.yaml'), SECRETS).catch(String);
    expect(refusal).toMatch(/signalbox\.yaml:\d+:\d+/);
    expect(refusal).not.toContain(MARK);
  });
});
