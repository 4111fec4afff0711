import { readFile } from 'node:fs/promises';
import { request } from 'node:http';
import type { IncomingHttpHeaders } from 'node:http';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { createKey } from '../../../gateway/trust/api-key.ts';
import { GrpcClient, inferRequest } from '../faces/grpc/grpc-client.ts';
import { keysYaml } from '../keys-yaml.ts';
import { DEMO_FOLDER } from '../running-gateway.ts';
import { BODY, infer, startUpstreamGateway } from './upstream-gateway.ts';
import { answers42, json, startVariantServer } from './variant-server.ts';

const key = createKey();
const AUTH = {
  config: 'auth: { keys: ./keys.yaml }\n',
  files: {
    'keys.yaml': keysYaml([key, 'scopes: [infer, outcomes]']),
  },
};

/** All that reached a server, as one text. */
function allThatArrived(server: {
  readonly arrived: readonly {
    readonly path: string;
    readonly headers: IncomingHttpHeaders;
    readonly body: Buffer;
  }[];
}): string {
  return server.arrived
    .map(({ path, headers, body }) => `${path}\n${JSON.stringify(headers)}\n${body.toString('latin1')}`)
    .join('\n');
}

describe('a caller’s key stays at the gateway, whichever way its call goes on', () => {
  test('v2 over HTTP, short and long, by either header', async () => {
    await using server = await startVariantServer(answers42);
    await using gateway = await startUpstreamGateway(server.url, AUTH);
    for (const headers of [{ authorization: `Bearer ${key.text}` }, { 'x-api-key': key.text }]) {
      expect((await infer(gateway, { headers })).value).toBe(42);
      // Over 64 KiB a body is passed on as it comes.
      expect((await infer(gateway, { headers, body: BODY + ' '.repeat(100_000) })).value).toBe(42);
    }
    const arrived = allThatArrived(server);
    expect(server.arrived.length).toBeGreaterThanOrEqual(4);
    expect(arrived).not.toContain(key.text);
    expect(arrived.toLowerCase()).not.toMatch(/"authorization"|"x-api-key"/);
  });

  test('images, to a server of their own kind and to TorchServe', async () => {
    const image = await readFile(join(DEMO_FOLDER, 'images/0001.png'));
    for (const [protocol, path] of [
      ['http', '/predict/digits'],
      ['torchserve', '/predict/digits'],
      ['torchserve', '/predictions/digits'],
    ] as const) {
      await using server = await startVariantServer((response) => {
        json(response, 200, { zero: 0.8 });
      });
      await using gateway = await startUpstreamGateway(server.url, { ...AUTH, upstream: { protocol } });
      const response = await fetch(gateway.url(path), {
        method: 'POST',
        body: image,
        headers: { authorization: `Bearer ${key.text}`, 'x-api-key': key.text },
      });
      expect(response.headers.get('x-experiment')).toBe('digits-cnn=v3');
      expect(allThatArrived(server)).not.toContain(key.text);
    }
  });

  test('gRPC, which is encoded anew', async () => {
    await using server = await startVariantServer(answers42);
    await using gateway = await startUpstreamGateway(server.url, { ...AUTH, grpc: true });
    using client = new GrpcClient(gateway.server.bound.grpc ?? '');
    const message = inferRequest({
      model_name: 'digits',
      inputs: [{ name: 'INPUT', datatype: 'FP32', shape: [1, 1] }],
      raw_input_contents: [Buffer.from(Float32Array.of(7).buffer)],
    });
    await client.call('ModelInfer', message, { authorization: `Bearer ${key.text}` });
    expect(server.arrived.some(({ path }) => path.endsWith('/infer'))).toBe(true);
    expect(allThatArrived(server)).not.toContain(key.text);
  });

  test('and where the gateway asks for none, a key is the server’s own affair, and passes', async () => {
    await using server = await startVariantServer(answers42);
    await using gateway = await startUpstreamGateway(server.url);
    await infer(gateway, { headers: { authorization: 'Bearer theirs' } });
    expect(server.arrived.at(-1)?.headers.authorization).toBe('Bearer theirs');
  });
});

/** A request with headers that `fetch` would not send. */
function sendRaw(url: string, headers: Readonly<Record<string, string>>): Promise<number> {
  return new Promise((resolve, reject) => {
    const call = request(url, { method: 'POST', headers }, (response) => {
      response.resume().on('end', () => {
        resolve(response.statusCode ?? 0);
      });
    });
    call.on('error', reject).end(BODY);
  });
}

test('what belongs to one connection goes no further, in either direction', async () => {
  await using server = await startVariantServer((response, arrived) => {
    response
      .setHeader('connection', 'keep-alive, x-hop-answer')
      .setHeader('x-hop-answer', 'secret')
      .setHeader('keep-alive', 'timeout=17')
      .setHeader('proxy-authenticate', 'Basic')
      .setHeader('x-kept', 'yes');
    answers42(response, arrived);
  });
  await using gateway = await startUpstreamGateway(server.url);
  const status = await sendRaw(gateway.url('/v2/models/digits/infer'), {
    connection: 'keep-alive, X-Hop, x-other-hop',
    'x-hop': 'secret',
    'x-other-hop': 'secret',
    'proxy-authorization': 'Basic c2VjcmV0',
    'proxy-connection': 'keep-alive',
    te: 'trailers',
    'keep-alive': 'timeout=99',
    'x-kept': 'yes',
  });
  expect(status).toBe(200);
  const { headers = {} } = server.arrived.at(-1) ?? {};
  expect(headers['x-kept']).toBe('yes');
  for (const name of ['x-hop', 'x-other-hop', 'proxy-authorization', 'proxy-connection', 'te']) {
    expect(headers[name], name).toBeUndefined();
  }
  expect(headers['keep-alive']).not.toBe('timeout=99');
  const answer = await infer(gateway);
  expect(answer.headers.get('x-kept')).toBe('yes');
  for (const name of ['x-hop-answer', 'proxy-authenticate'])
    expect(answer.headers.get(name), name).toBeNull();
  expect(answer.headers.get('keep-alive')).not.toBe('timeout=17');
});

test('the control plane says where a variant lives, and nothing of what opens the server', async () => {
  await using server = await startVariantServer(answers42);
  await using gateway = await startUpstreamGateway(server.url, {
    admin: true,
    upstream: { model: 'cnn', version: 2, headers: { authorization: 'Bearer opens-it' } },
  });
  const answer = await fetch(`http://${gateway.server.bound.admin ?? ''}/api/experiments/digits-cnn`);
  const text = await answer.text();
  expect((JSON.parse(text) as { variants: unknown }).variants).toEqual([
    { name: 'v1', version: 1, weight: 0, share: 0 },
    {
      name: 'v3',
      upstream: { url: server.url, protocol: 'v2', model: 'cnn', version: 2 },
      weight: 1,
      share: 1,
    },
  ]);
  expect(text).not.toContain('opens-it');
});
