import { OFREPProvider } from '@openfeature/ofrep-provider';
import { OpenFeature } from '@openfeature/server-sdk';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createKey } from '../../../gateway/trust/api-key.ts';
import { identityModel } from '../../models/onnx-graph.ts';
import { send } from '../../security/raw-socket.ts';
import { keysYaml } from '../keys-yaml.ts';
import { experimentFile, startGateway } from '../running-gateway.ts';
import type { RunningGateway } from '../running-gateway.ts';

const model = identityModel('FP32', ['batch', 1]);
const versions = (...weights: readonly number[]) => ({
  variants: weights.map((weight, index) => ({ name: `v${index + 1}`, version: index + 1, weight })),
});

let gateway: RunningGateway;

beforeAll(async () => {
  const others = ['paused', 'completed', 'draft'].map((status): readonly [string, string] => [
    `experiments/${status}.yaml`,
    experimentFile({ key: status, model: status, status, ...(status === 'completed' && { winner: 'v2' }) }),
  ]);
  gateway = await startGateway({
    files: {
      ...Object.fromEntries(
        ['digits', 'paused', 'completed', 'draft', 'broken'].flatMap((name) => [
          [`models/${name}/1/model.onnx`, model],
          [`models/${name}/2/model.onnx`, name === 'broken' ? 'no ONNX' : model],
        ]),
      ),
      ...Object.fromEntries(others),
      'experiments/digits.yaml': experimentFile({
        ...versions(50, 50),
        forced: { tester: 'v2' },
        match: [
          { headers: { 'X-Plan': { in: ['pro'] } }, variant: 'v2' },
          { headers: { 'x-country': { not: 'fr' } } },
        ],
      }),
      'experiments/broken.yaml': experimentFile({
        key: 'broken',
        model: 'broken',
        ...versions(0, 1),
        onUnavailable: 'error',
      }),
    },
  });
  await OpenFeature.setProviderAndWait(new OFREPProvider({ baseUrl: gateway.url('') }));
});

afterAll(async () => {
  await OpenFeature.close();
  await gateway[Symbol.asyncDispose]();
});

const client = () => OpenFeature.getClient();

/** The variant that an inference call of the unit gets. */
async function variantOf(unit: string): Promise<string | null> {
  const response = await fetch(gateway.url('/v2/models/digits/infer'), {
    method: 'POST',
    headers: { 'x-user-id': unit },
    body: JSON.stringify({ inputs: [{ name: 'INPUT', shape: [1, 1], datatype: 'FP32', data: [1] }] }),
  });
  expect(response.status).toBe(200);
  return response.headers.get('x-experiment');
}

test('an OpenFeature client gets the variant that an inference call of the same unit gets', async () => {
  const found = new Set<string>();
  for (let user = 0; user < 40; user++) {
    const details = await client().getStringDetails('digits-cnn', 'none', { targetingKey: `user-${user}` });
    expect(details).toMatchObject({ reason: 'SPLIT', variant: details.value });
    expect(`digits-cnn=${details.value}`).toBe(await variantOf(`user-${user}`));
    found.add(details.value);
  }
  expect(found).toEqual(new Set(['v1', 'v2']));
});

test.each([
  ['a forced unit', 'digits-cnn', { targetingKey: 'tester' }, 'v2', 'TARGETING_MATCH', 'override'],
  [
    'one whom a rule sends somewhere',
    'digits-cnn',
    { targetingKey: 'a', 'X-PLAN': 'pro' },
    'v2',
    'TARGETING_MATCH',
    'targeting',
  ],
  [
    'one whom the experiment does not concern',
    'digits-cnn',
    { targetingKey: 'a', 'x-country': 'fr' },
    'v1',
    'DEFAULT',
    'default',
  ],
  ['a paused experiment', 'paused', { targetingKey: 'a' }, 'v1', 'DISABLED', 'default'],
  ['a completed experiment', 'completed', { targetingKey: 'a' }, 'v2', 'STATIC', 'default'],
])('%s is told why', async (_, flag, context, value, reason, own) => {
  const details = await client().getStringDetails(flag, 'none', context);
  expect(details).toMatchObject({ value, variant: value, reason });
  expect(details.flagMetadata).toMatchObject({ reason: own, version: value === 'v1' ? 1 : 2, phase: 1 });
});

test.each([
  ['an experiment that there is not', 'nope', { targetingKey: 'a' }, 'FLAG_NOT_FOUND'],
  ['a draft', 'draft', { targetingKey: 'a' }, 'FLAG_NOT_FOUND'],
  ['a context without a unit', 'digits-cnn', {}, 'TARGETING_KEY_MISSING'],
  ['a variant that can not answer', 'broken', { targetingKey: 'a' }, 'GENERAL'],
])('%s gives the client its own default, and the error', async (_, flag, context, errorCode) => {
  const details = await client().getStringDetails(flag, 'mine', context);
  expect(details).toMatchObject({ value: 'mine', reason: 'ERROR', errorCode });
});

const post = (path: string, body: string, headers: Readonly<Record<string, string>> = {}) =>
  fetch(gateway.url(`/ofrep/v1/evaluate/flags${path}`), { method: 'POST', body, headers });

test.each([
  ['no JSON', '', '{', 400, 'PARSE_ERROR'],
  ['no context', '', '{}', 400, 'INVALID_CONTEXT'],
  ['a list', '', '[]', 400, 'INVALID_CONTEXT'],
  ['a targeting key that is no text', '', '{"context":{"targetingKey":1}}', 400, 'INVALID_CONTEXT'],
  ['no targeting key', '', '{"context":{}}', 400, 'TARGETING_KEY_MISSING'],
  ['an unknown flag', '/nope', '{"context":{"targetingKey":"a"}}', 404, 'FLAG_NOT_FOUND'],
  ['a body that is too large', '', ' '.repeat(300_000), 413, 'PARSE_ERROR'],
])(
  '%s is refused in the words of the protocol and of the gateway',
  async (_, path, body, status, errorCode) => {
    const response = await post(path, body);
    expect(response.status).toBe(status);
    const answer = (await response.json()) as Record<string, string>;
    expect(answer).toMatchObject({ errorCode });
    expect(answer.errorDetails).toBe(answer.error);
    expect(answer.key).toBe(path === '' ? undefined : path.slice(1));
  },
);

test('all experiments are answered at once, with a tag that says whether anything changed', async () => {
  const body = JSON.stringify({ context: { targetingKey: 'tester' } });
  const response = await post('', body);
  const { flags } = (await response.json()) as { flags: readonly Record<string, unknown>[] };
  expect(flags.map(({ key, value, errorCode }) => [key, value ?? errorCode])).toEqual([
    ['broken', 'GENERAL'],
    ['completed', 'v2'],
    ['digits-cnn', 'v2'],
    ['paused', 'v1'],
  ]);
  const etag = response.headers.get('etag') ?? '';
  expect((await post('', body, { 'if-none-match': `"other", ${etag}` })).status).toBe(304);
  const another = JSON.stringify({ context: { targetingKey: 'a', 'x-country': 'fr' } });
  expect((await post('', another, { 'if-none-match': etag })).status).toBe(200);
});

test('a refusal has the headers that every other one has', async () => {
  const context = JSON.stringify({ context: { targetingKey: 'a' } });
  const unavailable = await post('/broken', context);
  expect(unavailable.status).toBe(503);
  expect(unavailable.headers.get('retry-after')).toBe('1');

  const head = 'POST /ofrep/v1/evaluate/flags HTTP/1.1\r\nHost: a\r\nX-User-Id: a\r\nX-User-Id: b\r\n';
  const ambiguous = await send(
    new URL(gateway.url('/')).host,
    `${head}Content-Length: ${context.length}\r\n\r\n${context}`,
  );
  expect(ambiguous.statuses).toEqual([400]);
  expect(ambiguous.text).toMatch(/\r\nconnection: close\r\n/i);

  const key = createKey();
  await using keyed = await startGateway({
    config: 'auth: { keys: ./keys.yaml }',
    files: {
      'models/digits/1/model.onnx': model,
      'keys.yaml': keysYaml([key, 'scopes: [infer], rate: 1/h']),
    },
  });
  const ask = (authorization: string) =>
    fetch(keyed.url('/ofrep/v1/evaluate/flags'), {
      method: 'POST',
      body: context,
      headers: { authorization },
    });
  const unknown = await ask('');
  expect([unknown.status, unknown.headers.get('www-authenticate')]).toEqual([401, 'Bearer']);
  expect((await ask(`Bearer ${key.text}`)).status).toBe(200);
  const { status, headers } = await ask(`Bearer ${key.text}`);
  expect(status).toBe(429);
  expect(headers.get('retry-after')).toMatch(/^3[56]\d\d$/);
  expect(headers.get('ratelimit-limit')).toBe('1');
});
