import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { createKey } from '../../gateway/trust/api-key.ts';
import { run } from '../e2e/cli.ts';
import type { Running } from '../e2e/cli.ts';
import { certify } from '../gateway/certificates.ts';
import { keysYaml } from '../gateway/keys-yaml.ts';
import { identityModel } from '../models/onnx-graph.ts';
import { temporaryFolder } from '../models/temporary-folder.ts';
import type { TemporaryFolder } from '../models/temporary-folder.ts';

/** It stands in every secret that is planted, and in nothing else. */
export const MARK = 'planted';

/** From the environment, as secrets are told. */
export const SECRETS = {
  REDIS_PASSWORD: `${MARK}-redis-password`,
  CACHE_PASSWORD: `${MARK}-cache-password`,
  SIGNING: `${MARK}-secret-that-signs-predictions`,
  OLD_SIGNING: `${MARK}-secret-that-signed-predictions`,
  HOOK_TOKEN: `${MARK}-token-in-the-address-of-a-webhook`,
  HOOK_PASSWORD: `${MARK}-password-in-the-address-of-a-webhook`,
  HOOK_SECRET: `${MARK}-secret-that-signs-webhooks`,
  OTLP_PASSWORD: `${MARK}-password-in-the-address-of-a-receiver`,
  OTLP_QUERY: `${MARK}-token-in-the-query-of-a-receiver`,
  OTLP_HEADER: `${MARK}-header-of-a-receiver`,
  EVENTS_PASSWORD: `${MARK}-password-in-the-address-for-events`,
  EVENTS_HEADER: `${MARK}-header-for-events`,
  ISSUER_PASSWORD: `${MARK}-password-in-the-address-of-keys`,
} as const;

/** In an experiment's file. */
export const UPSTREAM_TOKEN = `${MARK}-token-for-a-variant`;

/** The user of each address that has a password. */
const USERS = ['user', 'default', ''];

/** What a configuration with a secret in every place that takes one lies in. */
export interface Planted {
  readonly folder: TemporaryFolder;
  /** The text of its `signalbox.yaml`. */
  readonly config: string;
  /** It may infer, and no more. */
  readonly key: ReturnType<typeof createKey>;
  /** It may do everything. */
  readonly writer: ReturnType<typeof createKey>;
  readonly writes: (text: string) => boolean;
}

/**
 * Writes a configuration with every kind of secret.
 *
 * @param redisPort where the state is kept
 * @param outsidePort of whoever is told things and asked: webhooks, receivers, the issuer's keys, a variant's server
 * @param nobodyPort where nobody listens
 */
export async function plant(
  redisPort: number,
  outsidePort: number,
  nobodyPort = outsidePort,
): Promise<Planted> {
  const [key, writer] = [createKey(), createKey()];
  const config = `
listen: { http: 127.0.0.1:0, grpc: 127.0.0.1:0, metrics: 127.0.0.1:0, admin: 127.0.0.1:0 }
models: { repository: ./models, control: none }
experiments: ./experiments
state: redis://default:\${REDIS_PASSWORD}@127.0.0.1:${redisPort}/0
cache: { redis: 'redis://:\${CACHE_PASSWORD}@127.0.0.1:${nobodyPort}/1' }
secret: ['\${SIGNING}', '\${OLD_SIGNING}']
spool: ./spool
auth:
  keys: ./keys.yaml
  jwt: { issuer: 'https://id.example', audience: box, jwks: 'http://user:\${ISSUER_PASSWORD}@127.0.0.1:${outsidePort}/keys' }
webhooks:
  - { name: away, url: 'http://user:\${HOOK_PASSWORD}@127.0.0.1:${outsidePort}/\${HOOK_TOKEN}?t=\${HOOK_TOKEN}', secret: '\${HOOK_SECRET}', timeout: 200ms }
tls: { http: { cert: tls/server.pem, key: tls/server.key } }
telemetry:
  logs: { level: debug, access: 1 }
  audit: { file: ./audit.jsonl }
  sampleRatio: 1
  otlp:
    endpoint: 'http://user:\${OTLP_PASSWORD}@127.0.0.1:${outsidePort}/?token=\${OTLP_QUERY}'
    headers: { authorization: '\${OTLP_HEADER}' }
  events:
    sink: otlp
    endpoint: 'http://user:\${EVENTS_PASSWORD}@127.0.0.1:${outsidePort}/v1/logs?token=\${OTLP_QUERY}'
    headers: { authorization: '\${EVENTS_HEADER}' }
    timeout: 200ms
`;
  const folder = await temporaryFolder({
    'signalbox.yaml': config,
    'keys.yaml': keysYaml(
      [key, 'scopes: [infer]'],
      [writer, 'scopes: [infer, override, outcomes, "admin:read", "admin:write"]'],
    ),
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
          upstream: {
            url: `http://127.0.0.1:${outsidePort}`,
            headers: { authorization: UPSTREAM_TOKEN },
            retries: 0,
          },
        },
      ],
    }),
    'tls/README': 'made by the test',
  });
  await certify(join(folder.path, 'tls'), 'server');
  const pem = await readFile(join(folder.path, 'tls/server.key'), 'utf8');
  const marks = [
    MARK,
    ...[key, writer].flatMap(({ text, hash }) => [text.slice(-43), hash]),
    // As HTTP's basic scheme writes a password.
    ...USERS.flatMap((user) =>
      Object.values(SECRETS).map((secret) => Buffer.from(`${user}:${secret}`).toString('base64')),
    ),
    ...pem.split('\n').filter((line) => line.length > 0 && !line.startsWith('-----')),
  ];
  return { folder, config, key, writer, writes: (text) => marks.some((mark) => text.includes(mark)) };
}

/** A `signalbox` command that knows the secrets by its environment. */
export function commandWithSecrets(args: readonly string[], env: NodeJS.ProcessEnv = {}): Running {
  return run(process.execPath, ['gateway/cli/main.ts', ...args], { ...process.env, ...SECRETS, ...env });
}

/** Everything of a process that somebody may see. */
export const printed = (running: Running): string => running.stdout() + running.stderr();

/** The files of a folder that were not put there as secrets' own places, by their paths in it. */
export async function writtenFiles(folder: TemporaryFolder): Promise<ReadonlyMap<string, string>> {
  const own = /^(signalbox\.yaml|keys\.yaml|experiments\/.*|tls\/.*|models\/.*)$/;
  const entries = await readdir(folder.path, { recursive: true, withFileTypes: true });
  const names = entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.path.length + 1))
    .filter((name) => !own.test(name));
  return new Map(
    await Promise.all(
      names.map(
        async (name) => [name, (await readFile(join(folder.path, name))).toString('latin1')] as const,
      ),
    ),
  );
}
