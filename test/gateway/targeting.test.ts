import { afterAll, beforeAll, expect, test } from 'vitest';
import { identityModel } from '../models/onnx-graph.ts';
import { experimentFile, metricValue, startGateway } from './running-gateway.ts';
import type { RunningGateway } from './running-gateway.ts';
import { askOfEach } from './few-callers.ts';
import { GrpcClient } from './faces/grpc/grpc-client.ts';

const model = identityModel('FP32', ['batch', 1]);
const variants = (v1: number, v2: number) => ({
  variants: [
    { name: 'v1', version: 1, weight: v1 },
    { name: 'v2', version: 2, weight: v2 },
  ],
});
const ALL_TO_V2 = variants(0, 1);
const KEY = `sb_shop_${'k'.repeat(43)}`;

const EXPERIMENTS: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  places: {
    match: [
      { query: { beta: 'yes' }, variant: 'v2' },
      { cookies: { plan: { prefix: 'pro' } }, variant: 'v2' },
      { headers: { 'X-App': { semver: '>=2' } }, variant: 'v2' },
      { apiKey: 'shop', variant: 'v2' },
    ],
    ...variants(1, 0),
  },
  body: {
    metrics: [{ name: 'errors', kind: 'proportion', source: 'error_rate', role: 'guardrail' }],
    guardrails: [{ metric: 'errors', maximum: 0.1 }],
    hashAttribute: { json: 'parameters.user_id' },
    ...variants(50, 50),
    match: [
      { inputs: { INPUT: { rows: { min: 3 } } }, variant: 'v2' },
      { parameters: { tier: { not: 'free' } } },
    ],
  },
};

let gateway: RunningGateway;

beforeAll(async () => {
  const experiments = Object.entries(EXPERIMENTS).map(([key, fields]): readonly [string, string] => [
    `experiments/${key}.yaml`,
    experimentFile({ key, model: key, ...fields }),
  ]);
  const side = (key: string, range: readonly number[]) =>
    experimentFile({ key, model: 'shared', ...ALL_TO_V2, namespace: { name: 'shared', range } });
  gateway = await startGateway({
    config: 'holdout: { share: 0.2, seed: everywhere }',
    grpc: true,
    files: {
      ...Object.fromEntries(
        ['places', 'body', 'shared'].flatMap((name): readonly (readonly [string, Uint8Array])[] => [
          [`models/${name}/1/model.onnx`, model],
          [`models/${name}/2/model.onnx`, model],
        ]),
      ),
      ...Object.fromEntries(experiments),
      'experiments/left.yaml': side('left', [0, 0.5]),
      'experiments/right.yaml': side('right', [0.5, 1]),
    },
  });
});

afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
});

interface Sent {
  readonly headers?: Readonly<Record<string, string>>;
  readonly query?: string;
  readonly body?: string;
}

const bodyOf = (parameters?: object, rows = 1) =>
  JSON.stringify({
    ...(parameters && { parameters }),
    inputs: [{ name: 'INPUT', shape: [rows, 1], datatype: 'FP32', data: Array(rows).fill(1) }],
  });

/** `left=v2 split`: what an answer says, or its status and error. */
async function call(name: string, { headers = {}, query = '', body = bodyOf() }: Sent = {}): Promise<string> {
  const url = gateway.url(`/v2/models/${name}/infer${query}`);
  const response = await fetch(url, { method: 'POST', body, headers });
  const answer = (await response.json()) as { error?: string };
  if (response.status !== 200) return `${response.status} ${answer.error ?? ''}`;
  const of = (header: string) => response.headers.get(header) ?? '';
  return `${of('x-experiment')} ${of('x-experiment-reason')}`;
}

test.each<[string, Sent]>([
  ['a query parameter', { query: '?beta=yes' }],
  ['a query parameter that stands twice, by the first', { query: '?beta=yes&beta=no' }],
  ['a cookie', { headers: { cookie: 'a=1; plan=pro-2' } }],
  ['a header', { headers: { 'x-app': '2.3.0' } }],
  ['the id of a key', { headers: { authorization: `Bearer ${KEY}` } }],
])('a rule is met by %s', async (_, sent) => {
  expect(await call('places', sent)).toBe('places=v2 targeting');
});

test('who meets no rule is split', async () => {
  // The holdout of the gateway has its share of those.
  for (const sent of [{ query: '?beta=no' }, { headers: { cookie: 'plan=free', 'x-app': '1.0.0' } }]) {
    expect(await call('places', { ...sent })).toMatch(/^places=v1 (split|holdout)$/);
  }
});

test('a request parameter in the body names the unit, also where the body is read on another thread', async () => {
  const answers = new Map<string, string>();
  for (let user = 0; user < 30; user++) {
    const answer = await call('body', { body: bodyOf({ user_id: `user-${user}` }) });
    expect(await call('body', { body: bodyOf({ user_id: `user-${user}`, other: 1 }) })).toBe(answer);
    answers.set(`user-${user}`, answer);
  }
  expect(new Set(answers.values())).toEqual(new Set(['body=v1 split', 'body=v2 split', 'body=v1 holdout']));
  const [[user, answer] = expect.fail('somebody was asked')] = [...answers].filter(([, found]) =>
    found.endsWith('v2 split'),
  );
  const large = bodyOf({ user_id: user, filler: 'x'.repeat(1_100_000) });
  expect(await call('body', { body: large })).toBe(answer);
});

test('a whole number of 64 bits names the unit by all of its digits, in JSON and in gRPC, as the same text does', async () => {
  using client = new GrpcClient(gateway.server.bound.grpc ?? '');
  const hashes = new Set<string>();
  for (let last = 0n; last < 20n; last += 1n) {
    const id = 1_234_567_890_123_456_780n + last;
    const asText = await call('body', { body: bodyOf({ user_id: String(id) }) });
    const asNumber = bodyOf({ user_id: 0 }).replace('"user_id":0', `"user_id":${id}`);
    expect(await call('body', { body: asNumber })).toBe(asText);
    for (const parameter of ['int64_param', 'uint64_param']) {
      const { headers } = await client.call('ModelInfer', {
        model_name: 'body',
        parameters: { user_id: { [parameter]: String(id) } },
        inputs: [{ name: 'INPUT', datatype: 'FP32', shape: [1, 1] }],
        raw_input_contents: [Buffer.from(Float32Array.of(1).buffer)],
      });
      expect(`${headers['x-experiment'] ?? ''} ${headers['x-experiment-reason'] ?? ''}`).toBe(asText);
    }
    hashes.add(asText);
  }
  // A double has one value for all of them.
  expect(hashes.size).toBeGreaterThan(1);
});

test('the shape of the inputs and other parameters can be matched', async () => {
  expect(await call('body', { body: bodyOf({ user_id: 'ada' }, 3) })).toBe('body=v2 targeting');
  expect(await call('body', { body: bodyOf({ user_id: 'ada', tier: 'free' }, 2) })).toBe('body=v1 default');
});

test('a body that can not be read is refused before the call is routed, and a call of a version is as ever', async () => {
  expect(await call('body', { body: '{' })).toMatch(/^400 failed to parse the request JSON/);
  const text = await gateway.metrics();
  expect(metricValue(text, 'signalbox_requests_total', { model: 'body', outcome: 'client_error' })).toBe(0);
  const pinned = await fetch(gateway.url('/v2/models/body/versions/1/infer'), {
    method: 'POST',
    body: bodyOf(),
  });
  expect([pinned.status, pinned.headers.get('x-experiment')]).toEqual([200, null]);
  const bad = { method: 'POST', body: '{' };
  expect((await fetch(gateway.url('/v2/models/body/versions/1/infer'), bad)).status).toBe(400);
  const routed = { model: 'body', version: '1', outcome: 'client_error' };
  expect(metricValue(await gateway.metrics(), 'signalbox_requests_total', routed)).toBe(1);
});

test('two experiments on one model share its users out, and the holdout of the gateway is out of both', async () => {
  const users = Array.from({ length: 400 }, (_, index) => `user-${index}`);
  const answers = await askOfEach(users, (user) => call('shared', { headers: { 'x-user-id': user } }));
  const count = (answer: RegExp) => answers.filter((found) => answer.test(found)).length;
  expect(count(/^(left|right)=(v2 split|v1 holdout)$/)).toBe(users.length);
  // Three standard deviations of 400 draws: 0.4 and 0.2.
  for (const [answer, share, bound] of [
    [/^left=v2/, 0.4, 0.074],
    [/^right=v2/, 0.4, 0.074],
    [/holdout$/, 0.2, 0.06],
  ] as const) {
    expect(Math.abs(count(answer) / users.length - share)).toBeLessThan(bound);
  }
  expect(await call('shared', { headers: { 'x-experiment': 'v2' } })).toBe(
    '400 v2 is a variant of both left and right; write left=v2 or right=v2',
  );
  expect(await call('shared', { headers: { 'x-experiment': 'right=v2' } })).toBe('right=v2 override');
});
