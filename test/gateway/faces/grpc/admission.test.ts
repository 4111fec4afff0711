import { createServer } from 'node:http';
import { connect, constants } from 'node:http2';
import type { IncomingHttpHeaders } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { status } from '@grpc/grpc-js';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { INFERENCE } from '../../../../gateway/faces/grpc/definitions.ts';
import { methodAccess } from '../../../../gateway/faces/grpc/method-access.ts';
import { createKey } from '../../../../gateway/trust/api-key.ts';
import { identityModel } from '../../../models/onnx-graph.ts';
import { keysYaml } from '../../keys-yaml.ts';
import { eventually, metricValue, startGateway } from '../../running-gateway.ts';
import type { RunningGateway } from '../../running-gateway.ts';
import { startIssuer } from '../../trust/local-issuer.ts';
import { GrpcClient, inferRequest } from './grpc-client.ts';

const MODEL = { 'models/digits/1/model.onnx': identityModel('FP32', ['batch', 1]) };
const ASKED = inferRequest({
  model_name: 'digits',
  inputs: [{ name: 'INPUT', datatype: 'FP32', shape: [1, 1] }],
  raw_input_contents: [Buffer.from(Float32Array.of(7).buffer)],
});

const [limited, elsewhere] = [createKey(), createKey()];
let gateway: RunningGateway;
beforeAll(async () => {
  gateway = await startGateway({
    grpc: true,
    config: 'auth: { keys: ./keys.yaml }',
    files: {
      ...MODEL,
      'keys.yaml': keysYaml(
        [limited, 'scopes: [infer], rate: 1/h burst 1'],
        [elsewhere, 'scopes: [infer], models: [other]'],
      ),
    },
  });
});
afterAll(() => gateway[Symbol.asyncDispose]());

/** What a call is answered of whose message of 1 MiB only the first bytes are ever sent. */
async function begin(
  method: string,
  headers: Readonly<Record<string, string>>,
): Promise<IncomingHttpHeaders> {
  const session = connect(`http://${gateway.server.bound.grpc ?? ''}`);
  try {
    const stream = session.request({
      [constants.HTTP2_HEADER_METHOD]: 'POST',
      [constants.HTTP2_HEADER_PATH]: `/inference.GRPCInferenceService/${method}`,
      'content-type': 'application/grpc',
      te: 'trailers',
      ...headers,
    });
    stream.on('error', () => undefined);
    stream.write(Buffer.concat([Buffer.from([0, 0, 0x10, 0, 0]), Buffer.alloc(1000)]));
    const { promise, resolve } = Promise.withResolvers<IncomingHttpHeaders>();
    stream.once('response', resolve);
    return await promise;
  } finally {
    session.destroy();
  }
}

test.each(['ModelInfer', 'ModelStreamInfer', 'RepositoryIndex'])(
  'who has no key is told so before its message is read: %s',
  async (method) => {
    const answer = await begin(method, {});
    expect(answer['grpc-status']).toBe(String(status.UNAUTHENTICATED));
    expect(answer['grpc-message']).toContain('key');
  },
);

test('nor is one read whose caller has no more of its rate', async () => {
  using client = new GrpcClient(gateway.server.bound.grpc ?? '');
  const headers = { 'x-api-key': limited.text };
  await client.call('ModelInfer', ASKED, headers);
  for (const method of ['ModelInfer', 'ModelStreamInfer']) {
    const answer = await begin(method, headers);
    expect(answer['grpc-status']).toBe(String(status.RESOURCE_EXHAUSTED));
    expect(answer['retry-after']).toMatch(/^\d+$/);
  }
});

test('a model that a key is not for is refused once the message names it', async () => {
  using client = new GrpcClient(gateway.server.bound.grpc ?? '');
  const headers = { 'x-api-key': elsewhere.text };
  const denied = async (): Promise<number> =>
    metricValue(await gateway.server.gateway.metrics.render(), 'signalbox_requests_total', {
      outcome: 'denied',
      protocol: 'grpc',
    });
  const before = await denied();
  for (const [method, message] of [
    ['ModelInfer', ASKED],
    ['ModelMetadata', { name: 'digits' }],
  ] as const) {
    await expect(client.call(method, message, headers)).rejects.toMatchObject({
      code: status.PERMISSION_DENIED,
    });
  }
  expect(await denied()).toBe(before + 2);
});

test('every method of the service says what it asks of its callers', () => {
  const paths = Object.values(INFERENCE.service).map(({ path }) => path);
  expect([...methodAccess().keys()]).toEqual(paths);
});

test('who cancels while it is being admitted is not answered for, and takes no place', async () => {
  await using issuer = await startIssuer();
  // The issuer's keys are asked for, and come when they are let through.
  const asked = Promise.withResolvers<undefined>();
  const letThrough = Promise.withResolvers<undefined>();
  const front = createServer((request, response) => {
    asked.resolve(undefined);
    void letThrough.promise.then(async () => {
      const keys = await fetch(`${issuer.url}${request.url ?? ''}`);
      response.setHeader('content-type', 'application/json').end(await keys.text());
    });
  });
  await new Promise<void>((resolve) => front.listen(0, '127.0.0.1', resolve));
  const jwks = `http://127.0.0.1:${(front.address() as AddressInfo).port}/keys`;
  await using guarded = await startGateway({
    grpc: true,
    config:
      `auth: { jwt: { issuer: ${JSON.stringify(issuer.url)}, audience: x, jwks: ${JSON.stringify(jwks)} } }\n` +
      'limits: { keyConcurrency: 1 }',
    files: MODEL,
  });
  const exp = Math.floor(Date.now() / 1000) + 600;
  const token = await issuer.sign({ iss: issuer.url, aud: 'x', sub: 'ada', scope: 'infer', exp });
  const headers = { authorization: `Bearer ${token}` };
  using client = new GrpcClient(guarded.server.bound.grpc ?? '');
  const controller = new AbortController();
  const cancelled = client.call('ModelInfer', ASKED, headers, { signal: controller.signal });
  await asked.promise;
  controller.abort();
  await expect(cancelled).rejects.toMatchObject({ code: status.CANCELLED });
  letThrough.resolve(undefined);
  // A cancellation needs its time to arrive; a place that it kept would be kept for ever.
  await eventually(async () => {
    try {
      await client.call('ModelInfer', ASKED, headers);
      return true;
    } catch {
      return false;
    }
  });
  const text = await guarded.server.gateway.metrics.render();
  expect(metricValue(text, 'signalbox_requests_total', { outcome: 'ok' })).toBe(1);
  expect(metricValue(text, 'signalbox_requests_total', { outcome: 'cancelled' })).toBe(0);
  front.closeAllConnections();
  front.close();
});
