import { join } from 'node:path';
import { expect, test } from 'vitest';
import { loadConfig } from '../../../gateway/config/load-config.ts';
import { ConfigSchema } from '../../../gateway/config/schema.ts';
import { refusals } from '../../documents/refusals.ts';
import { temporaryFolder } from '../../models/temporary-folder.ts';
import { LEAST, load, refusalsOf } from './config-text.ts';

test('what a file leaves out has its default, and no timeout is endless', async () => {
  const config = await load(LEAST);
  const folder = join(config.file, '..');
  expect(config).toEqual({
    file: join(folder, 'signalbox.yaml'),
    listen: { http: { host: '127.0.0.1', port: 8000 }, grpc: undefined, metrics: undefined },
    server: { name: 'signalbox', bodyLimitBytes: 64 * 1024 * 1024, trustedProxies: 0 },
    models: {
      roots: [join(folder, 'models')],
      control: 'poll',
      load: [],
      defaultModel: undefined,
      allowedUrls: [],
      vulkanDriver: false,
    },
    experiments: undefined,
    cache: { kind: 'memory', maxBytes: 64 * 1024 ** 2, ttlMs: 3_600_000 },
    holdout: undefined,
    state: { kind: 'memory' },
    secrets: undefined,
    webhooks: [],
    spool: join(folder, 'signalbox-spool'),
    events: undefined,
    timeouts: {
      requestMs: 60_000,
      headersMs: 10_000,
      bodyMs: 60_000,
      keepAliveMs: 72_000,
      inferenceMs: 30_000,
      runMs: 30_000,
      warmupMs: 120_000,
      graceMs: 1000,
      drainMs: 30_000,
    },
    auth: { keys: undefined, tokens: undefined },
    limits: {
      imagePixels: 64_000_000,
      store: 'memory',
      connections: 16_384,
      shedding: {
        waitMs: 15_000,
        eventLoopDelayMs: 1000,
        heapShare: 0.9,
        bodyBytes: 1024 ** 3,
      },
      cost: 'rows',
      address: { rate: undefined, concurrency: undefined, daily: undefined },
      key: { rate: undefined, concurrency: undefined, daily: undefined },
      models: new Map(),
      experiments: new Map(),
    },
    tls: { http: undefined, grpc: undefined },
    tracing: undefined,
    tritonMetrics: false,
    accessLogShare: 0,
    logLevel: 'info',
  });
});

test('every key of a file is read', async () => {
  const config = await load(`\
listen: { http: 0.0.0.0:80, grpc: '[::1]:81', metrics: localhost:0 }
server: { name: triton, bodyLimit: 512KiB, trustProxy: 2 }
models: { repository: [/srv/models, more], control: none, defaultModel: digits, allowedUrls: ['https://models.example'] }
experiments: experiments
auth:
  keys: ./keys.yaml
  jwt: { issuer: 'https://id.example', audience: box, jwks: 'https://id.example/keys', scopesClaim: roles, rate: 5/s }
limits:
  { imagePixels: 1000000, addressRate: 60/m burst 9, addressConcurrency: 5, keyRate: 2/s, keyDaily: 1000, cost: requests, connections: 99,
    shedding: { wait: 2s, eventLoopDelay: 300ms, heapPercent: 80, bodies: 2GiB },
    models: { digits: 100/s }, experiments: { digits-cnn: 10/s } }
tls: { http: { cert: a.pem, key: b.pem }, grpc: { cert: /c.pem, key: d.pem, ca: e.pem } }
timeouts: { request: 1m, headers: 5s, body: 20s, keepAlive: 1h, inference: 500ms, run: 400ms, grace: 0s, drain: 1.5s }
cache: { memory: 2MiB, ttl: 10m }
state: sqlite:state/signalbox.db
secret: [a new secret of a test, an old secret of a test]
spool: waiting
telemetry: { logs: { level: warn, access: 0.25 }, events: { file: log/e.jsonl, maxSize: 1MiB, maxFiles: 3 },
  otlp: { endpoint: 'http://collector:4318', headers: { x-key: abc }, serviceName: digits }, sampleRatio: 0.5, tritonMetrics: true }
`);
  const folder = join(config.file, '..');
  expect(config).toEqual({
    file: config.file,
    listen: {
      http: { host: '0.0.0.0', port: 80 },
      grpc: { host: '::1', port: 81 },
      metrics: { host: 'localhost', port: 0 },
    },
    server: { name: 'triton', bodyLimitBytes: 524_288, trustedProxies: 2 },
    models: {
      roots: ['/srv/models', join(folder, 'more')],
      control: 'none',
      load: [],
      defaultModel: 'digits',
      allowedUrls: ['https://models.example/'],
      vulkanDriver: false,
    },
    experiments: join(folder, 'experiments'),
    cache: { kind: 'memory', maxBytes: 2 * 1024 ** 2, ttlMs: 600_000 },
    holdout: undefined,
    state: { kind: 'sqlite', file: join(folder, 'state/signalbox.db') },
    secrets: ['a new secret of a test', 'an old secret of a test'],
    webhooks: [],
    spool: join(folder, 'waiting'),
    events: { kind: 'file', path: join(folder, 'log/e.jsonl'), maxBytes: 1_048_576, maxFiles: 3 },
    timeouts: {
      requestMs: 60_000,
      headersMs: 5000,
      bodyMs: 20_000,
      keepAliveMs: 3_600_000,
      inferenceMs: 500,
      runMs: 400,
      warmupMs: 120_000,
      graceMs: 0,
      drainMs: 1500,
    },
    auth: {
      keys: { kind: 'file', file: join(folder, 'keys.yaml') },
      tokens: {
        issuer: 'https://id.example',
        audience: 'box',
        jwks: 'https://id.example/keys',
        scopesClaim: 'roles',
        rate: { limit: 5, periodMs: 1000, burst: 5 },
      },
    },
    limits: {
      imagePixels: 1_000_000,
      store: 'memory',
      connections: 99,
      shedding: { waitMs: 2000, eventLoopDelayMs: 300, heapShare: 0.8, bodyBytes: 2 * 1024 ** 3 },
      cost: 'requests',
      address: { rate: { limit: 60, periodMs: 60_000, burst: 9 }, concurrency: 5, daily: undefined },
      key: { rate: { limit: 2, periodMs: 1000, burst: 2 }, concurrency: undefined, daily: 1000 },
      models: new Map([['digits', { limit: 100, periodMs: 1000, burst: 100 }]]),
      experiments: new Map([['digits-cnn', { limit: 10, periodMs: 1000, burst: 10 }]]),
    },
    tls: {
      http: { cert: join(folder, 'a.pem'), key: join(folder, 'b.pem') },
      grpc: { cert: '/c.pem', key: join(folder, 'd.pem'), ca: join(folder, 'e.pem') },
    },
    tracing: {
      otlp: { endpoint: 'http://collector:4318/', headers: { 'x-key': 'abc' }, serviceName: 'digits' },
      sampleRatio: 0.5,
    },
    tritonMetrics: true,
    accessLogShare: 0.25,
    logLevel: 'warn',
  });
});

test('TLS for a plane that is off is refused', async () => {
  expect(await refusalsOf(`${LEAST}tls: { grpc: { cert: a.pem, key: b.pem } }\n`)).toEqual([
    'signalbox.yaml:3:8: tls.grpc: is there, but listen.grpc is not',
  ]);
});

test('a configuration that was read can not be changed', async () => {
  expect(Object.isFrozen(await load(LEAST))).toBe(true);
});

test('all that is wrong is told at once, in the order of the file', async () => {
  expect(
    await refusalsOf(`\
listen: { http: 80, htpp: x }
models: { repository: [], control: sometimes }
timeouts: { inference: soon }
limits: { imagePixels: 0 }
telemetry: { logs: { level: loud } }
colour: red
`),
  ).toEqual([
    'signalbox.yaml:1:17: listen.http: is 80; expected an address as 127.0.0.1:8000 or [::1]:8000; port 0 takes a free one',
    'signalbox.yaml:1:27: listen.htpp: is an unknown key; known here: http, grpc, metrics, admin',
    "signalbox.yaml:2:11: models.repository: is a list of 0; expected a folder's path, or a list of them",
    'signalbox.yaml:2:36: models.control: is "sometimes"; expected one of none, poll, explicit',
    'signalbox.yaml:3:24: timeouts.inference: is "soon"; expected a duration as 500ms, 30s, 5m or 1h',
    'signalbox.yaml:4:24: limits.imagePixels: is 0; expected a whole number of pixels',
    'signalbox.yaml:5:29: telemetry.logs.level: is "loud"; expected one of debug, info, warn, error, silent',
    `signalbox.yaml:6:9: colour: is an unknown key; known here: ${Object.keys(ConfigSchema.properties).join(', ')}`,
  ]);
});

test('unknown keys, wrong types, impossible values and names that are not set are told together', async () => {
  expect(
    await refusalsOf(`\
listen: { http: 127.0.0.1:70000 }
server: { bodyLimit: 3GiB, nmae: x }
models: { repository: 7, control: poll, load: [digits] }
state: redi://host
timeouts: { run: 0s, drain: '\${DRAIN}' }
webhooks: [{ name: a, url: 'http://a/' }, { name: a, url: 'http://b/', tpye: slack }]
telemetry: { otlp: { endpoint: 'http://[x' } }
`),
  ).toEqual([
    'signalbox.yaml:1:17: listen.http: has port 70000; the highest is 65535',
    'signalbox.yaml:2:22: server.bodyLimit: is 3GiB; expected from 1B to 2GiB',
    'signalbox.yaml:2:34: server.nmae: is an unknown key; known here: name, bodyLimit, trustProxy',
    "signalbox.yaml:3:23: models.repository: is 7; expected a folder's path, or a list of them",
    'signalbox.yaml:3:41: models.load: is there, but models.control is not explicit; all models are loaded then',
    expect.stringMatching(/^signalbox\.yaml:4:8: state: /) as string,
    'signalbox.yaml:5:18: timeouts.run: is 0s; expected whole milliseconds, from 1ms to 24 days (576h)',
    'signalbox.yaml:5:29: timeouts.drain: names the environment variable DRAIN, which is not set; set it, or write ${DRAIN:-default}',
    expect.stringMatching(/^signalbox\.yaml:6:\d+: webhooks\[1\]\.tpye: is an unknown key/) as string,
    'signalbox.yaml:7:32: telemetry.otlp.endpoint: is no URL; expected one as http://127.0.0.1:4318',
  ]);
});

test('what doesn’t go with another key is not told where that one is wrong itself', async () => {
  expect(
    await refusalsOf(`\
listen: { http: 127.0.0.1:80, grpc: 81 }
server: { bodyLimit: '\${LIMIT}' }
models: { repository: ., control: explict, load: [digits] }
tls: { grpc: { cert: a.pem, key: b.pem } }
state: 6379
auth: { keys: state }
limits: { store: redis, shedding: { bodies: 1MiB } }
telemetry: { otlp: { endpont: x }, sampleRatio: 1, events: { sink: redsi, maxLength: 10 } }
`),
  ).toEqual([
    expect.stringContaining(': listen.grpc: is 81;'),
    expect.stringContaining(': server.bodyLimit: names the environment variable LIMIT'),
    expect.stringContaining(': models.control: is "explict"'),
    expect.stringContaining(': state: is 6379'),
    expect.stringContaining(': telemetry.otlp.endpoint: is missing'),
    expect.stringContaining(': telemetry.otlp.endpont: is an unknown key'),
    expect.stringContaining(': telemetry.events.sink: is "redsi"'),
  ]);
});

test('an empty file is told what it needs', async () => {
  expect(await refusalsOf('')).toEqual([
    'signalbox.yaml:1:1: is empty; expected a map with at least listen and models',
  ]);
  expect(await refusalsOf('{}')).toEqual([
    'signalbox.yaml:1:1: listen: is missing; expected a map of planes to addresses',
    'signalbox.yaml:1:1: models: is missing; expected a map with repository',
  ]);
});

test('a syntax error is told with its place', async () => {
  const [first = ''] = await refusalsOf('listen: { http: a:1 }\nmodels: ]\n');
  expect(first).toMatch(/^signalbox\.yaml:2:9: /);
});

test('a file that is missing, or is none, is named with the reason', async () => {
  await using folder = await temporaryFolder();
  const missing = join(folder.path, 'nope.yaml');
  expect(await refusals(() => loadConfig(missing, {}))).toEqual([
    expect.stringMatching(/nope\.yaml: can't be read: ENOENT/),
  ]);
  expect(await refusals(() => loadConfig(folder.path, {}))).toEqual([
    expect.stringMatching(/: can't be read: EISDIR/),
  ]);
});

test.each(['__proto__', 'constructor'])('a key named %s is refused and does no harm', async (key) => {
  const [first = ''] = await refusalsOf(`${LEAST}${key}: { polluted: true }\n`);
  expect(first).toMatch(new RegExp(`^signalbox\\.yaml:3:1: ${key}: is an unknown key; known here: listen`));
  expect(Object.hasOwn(Object.prototype, 'polluted')).toBe(false);
});

test('an alias inside its own anchor is refused', async () => {
  const [first = ''] = await refusalsOf(`${LEAST}timeouts: &t { drain: *t }\n`);
  expect(first).toMatch(/^signalbox\.yaml/);
});
