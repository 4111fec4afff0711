import type { PublishedResults } from '../../../experiments/results/experiment-results.ts';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { signalbox } from '../../e2e/cli.ts';
import { temporaryFolder } from '../../models/temporary-folder.ts';
import { DEMO_FOLDER, eventually, experimentFile, metricValue, startGateway } from '../running-gateway.ts';
import type { RunningGateway } from '../running-gateway.ts';
import { infer, startUpstreamGateway } from './upstream-gateway.ts';
import { answers42, json, startVariantServer } from './variant-server.ts';

test('a second gateway, a process of its own, gives through the first the answers that it gives itself', async () => {
  await using folder = await temporaryFolder({
    'signalbox.yaml': `listen: { http: 127.0.0.1:0 }\nmodels: { repository: ${join(DEMO_FOLDER, 'models')}, defaultModel: digits }\n`,
  });
  await using second = signalbox('serve', '--config', join(folder.path, 'signalbox.yaml'));
  const url = `http://${(await second.ready()).http ?? ''}`;
  const variants = [{ name: 'v1', weight: 1, upstream: { url, version: 2 } }];
  await using first = await startGateway({
    files: { 'models/README': '', 'experiments/digits.yaml': experimentFile({ variants }) },
  });
  const ask = async (address: string, binary: boolean): Promise<unknown> => {
    const inputs = [
      { name: 'image', shape: [1, 1, 8, 8], datatype: 'FP32', data: Array<number>(64).fill(0.5) },
    ];
    const body = JSON.stringify({ inputs, parameters: { binary_data_output: binary } });
    const response = await fetch(address, { method: 'POST', body });
    expect(response.status).toBe(200);
    return binary ? Buffer.from(await response.arrayBuffer()) : response.json();
  };
  const [through, itself] = [
    first.url('/v2/models/digits/infer'),
    `${url}/v2/models/digits/versions/2/infer`,
  ];
  for (const binary of [false, true]) expect(await ask(through, binary)).toEqual(await ask(itself, binary));
  const metadata = (await (await fetch(first.url('/v2/models/digits'))).json()) as { inputs: unknown };
  expect(metadata.inputs).toEqual([{ name: 'image', datatype: 'FP32', shape: [-1, 1, 8, 8] }]);
});

test('what is the connection’s, the gateway’s or secret stays here, and the rest passes', async () => {
  await using server = await startVariantServer((response, arrived) => {
    response
      .setHeader('x-model-build', '17')
      .setHeader('set-cookie', 'a=b')
      .setHeader('x-experiment', 'forged');
    answers42(response, arrived);
  });
  await using gateway = await startUpstreamGateway(server.url, {
    upstream: { headers: { 'x-token': 'ours' } },
  });
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
  const { headers, value } = await infer(gateway, {
    headers: {
      traceparent,
      cookie: 'session=1',
      'x-token': 'theirs',
      'x-forwarded-for': '10.0.0.1',
      'x-kept': 'yes',
    },
  });
  expect(value).toBe(42);
  expect(headers.get('x-model-build')).toBe('17');
  expect(headers.get('set-cookie')).toBeNull();
  expect(headers.get('x-experiment')).toBe('digits-cnn=v3');
  expect(headers.get('x-prediction-id')).not.toBeNull();
  const [arrived] = server.arrived;
  expect(arrived?.headers).toMatchObject({
    traceparent,
    'x-token': 'ours',
    'x-kept': 'yes',
    via: '1.1 signalbox',
  });
  expect(arrived?.headers.cookie).toBeUndefined();
  expect(arrived?.headers['x-forwarded-for']).toMatch(/^10\.0\.0\.1, /);
});

const IMAGE = join(DEMO_FOLDER, 'images/0001.png');

test('a caller gets the id back that it gave its request; the server’s own where it gave none', async () => {
  await using server = await startVariantServer((response, arrived) => {
    response.setHeader('x-request-id', 'the-servers');
    answers42(response, arrived);
  });
  await using gateway = await startUpstreamGateway(server.url);
  const idOf = async (headers: Record<string, string>) =>
    (await infer(gateway, { headers })).headers.get('x-request-id');
  expect(await idOf({ 'x-request-id': 'the-callers' })).toBe('the-callers');
  expect(await idOf({})).toBe('the-servers');
});

test('an image goes to a server of its own kind as it is, and to TorchServe as the body', async () => {
  await using server = await startVariantServer();
  const image = await readFile(IMAGE);
  const form = new FormData();
  form.append('file', new Blob([image]), 'a.png');
  for (const protocol of ['http', 'torchserve']) {
    server.behaviour = (response) => {
      json(response, 200, protocol === 'http' ? { anything: 1 } : { two: 0.2, zero: 0.8 });
    };
    await using gateway = await startUpstreamGateway(server.url, { upstream: { protocol } });
    const response = await fetch(gateway.url('/predict/digits'), { method: 'POST', body: form });
    expect(response.headers.get('x-experiment')).toBe('digits-cnn=v3');
    const answer = await response.json();
    const arrived = server.arrived.at(-1);
    if (protocol === 'http') {
      expect(answer).toEqual({ anything: 1 });
      expect(arrived?.path).toBe('/predict');
      expect(arrived?.body.includes(image)).toBe(true);
    } else {
      expect(answer).toMatchObject({ predictions: [{ label: 'zero', confidence: 0.8 }, { label: 'two' }] });
      expect(arrived?.path).toBe('/predictions/digits');
      expect(arrived?.body.equals(image)).toBe(true);
    }
  }
});

test('an answer of TorchServe’s that is read here is not asked for in the coding that the caller reads', async () => {
  await using server = await startVariantServer((response, { headers }) => {
    if (headers['accept-encoding'] === undefined) json(response, 200, { zero: 1 });
    else response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync('{"zero":1}'));
  });
  await using gateway = await startUpstreamGateway(server.url, { upstream: { protocol: 'torchserve' } });
  const headers = { 'accept-encoding': 'gzip, deflate' };
  const response = await fetch(gateway.url('/predict/digits'), { method: 'POST', headers, body: 'an image' });
  expect(await response.json()).toMatchObject({ predictions: [{ label: 'zero', confidence: 1 }] });
});

describe('several images for a variant on a TorchServe', () => {
  const images = [1, 2, 3].map((byte) => Buffer.from([byte]));
  const predictAll = async (gateway: RunningGateway) => {
    const form = new FormData();
    for (const image of images) form.append('file', new Blob([image]), 'a.png');
    const response = await fetch(gateway.url('/predict/digits'), { method: 'POST', body: form });
    return {
      status: response.status,
      reason: response.headers.get('x-experiment-reason'),
      answer: await response.json(),
    };
  };

  test('go there one by one, at once, and are answered together in their order', async () => {
    await using server = await startVariantServer();
    const waiting: (() => void)[] = [];
    server.behaviour = (response, { body }) => {
      waiting.push(() => {
        json(response, 200, { [`image ${body[0] ?? 0}`]: 1 });
      });
      // All are there before one is answered, the last one first.
      if (waiting.length === images.length) for (const answer of waiting.toReversed()) answer();
    };
    await using gateway = await startUpstreamGateway(server.url, { upstream: { protocol: 'torchserve' } });
    expect(await predictAll(gateway)).toMatchObject({
      status: 200,
      reason: 'split',
      answer: {
        success: true,
        variant: 'v3',
        results: [1, 2, 3].map((image) => ({ predictions: [{ label: `image ${image}`, confidence: 1 }] })),
      },
    });
    const text = await gateway.metrics();
    expect(metricValue(text, 'signalbox_requests_total', { variant: 'v3', outcome: 'ok' })).toBe(1);
  });

  test('are the control’s, all of them, where one of them is not answered; the others are ended', async () => {
    await using server = await startVariantServer();
    const ended: Promise<unknown>[] = [];
    server.behaviour = (response, { body }) => {
      if (body[0] !== 2) ended.push(once(response, 'close'));
      else
        void eventually(() => ended.length === 2).then(() => {
          json(response, 503, {});
        });
    };
    await using gateway = await startUpstreamGateway(server.url, {
      upstream: { protocol: 'torchserve', retries: 0 },
    });
    expect(await predictAll(gateway)).toMatchObject({ reason: 'fallback' });
    await Promise.all(ended);
    const text = await gateway.metrics();
    expect(metricValue(text, 'signalbox_requests_total', { variant: 'v3' })).toBe(0);
  });
});

test('a body of megabytes is passed on as it comes, and its answer too', async () => {
  const body = Buffer.alloc(8_000_000, 'x');
  await using server = await startVariantServer((response, { body: received }) => response.end(received));
  await using gateway = await startUpstreamGateway(server.url);
  const response = await fetch(gateway.url('/v2/models/digits/infer'), { method: 'POST', body });
  expect(Buffer.from(await response.arrayBuffer()).equals(body)).toBe(true);
});

test('what its server takes is in the results beside what versions here take; how long requests wait there is not known', async () => {
  await using server = await startVariantServer();
  const variants = [
    { name: 'v1', version: 1, weight: 1 },
    { name: 'v3', weight: 1, upstream: { url: server.url } },
  ];
  await using gateway = await startUpstreamGateway(server.url, { admin: true, experiment: { variants } });
  const units = new Map<string | null, number>();
  for (let user = 0; user < 40; user++) {
    const { variant } = await infer(gateway, { headers: { 'x-user-id': `user-${user}` } });
    units.set(variant, (units.get(variant) ?? 0) + 1);
  }
  const url = `http://${gateway.server.bound.admin ?? ''}/api/experiments/digits-cnn/results`;
  const { builtIn } = (await (await fetch(url)).json()) as PublishedResults;
  const unitsOf = (name: string) => builtIn.find((metric) => metric.name === name)?.units;
  expect(unitsOf('latency_p50')).toBe(40);
  expect(unitsOf('compute_p50')).toBe(40);
  expect(unitsOf('queue_p50')).toBeUndefined();
  expect(units.size).toBe(2);
});
