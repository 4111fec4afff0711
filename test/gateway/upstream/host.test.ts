import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { eventually } from '../running-gateway.ts';
import { BODY, infer, startUpstreamGateway } from './upstream-gateway.ts';
import { answers42, startVariantServer } from './variant-server.ts';

const HOST = 'digits.models.example.com';

/** What stands in front of the servers of many models: it passes on what is for one host, and knows no other. */
async function startIngress(
  url: string,
): Promise<AsyncDisposable & { readonly url: string; readonly strangers: string[] }> {
  const strangers: string[] = [];
  const server = createServer((incoming, response) => {
    const { host = '' } = incoming.headers;
    if (host !== HOST) {
      strangers.push(`${host} ${incoming.url ?? ''}`);
      response.writeHead(404).end('no route');
      return;
    }
    const { method, headers } = incoming;
    const onward = request(new URL(incoming.url ?? '/', url), { method, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    onward.on('error', () => response.destroy());
    incoming.pipe(onward);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    strangers,
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeAllConnections();
      }),
  };
}

test('a host among the upstream’s headers is what an ingress routes by, for calls of every way and for health checks', async () => {
  await using server = await startVariantServer(answers42);
  await using ingress = await startIngress(server.url);
  await using gateway = await startUpstreamGateway(ingress.url, {
    upstream: { headers: { host: HOST }, health: { interval: '50ms', timeout: '1m' } },
  });
  // Short, passed on as it comes over 64 KiB, and as a caller who names a host of its own sends it.
  for (const init of [
    {},
    { body: BODY + ' '.repeat(100_000) },
    { headers: { host: 'somebody.example.com' } },
  ]) {
    const answered = await infer(gateway, init);
    expect([answered.status, answered.variant, answered.value]).toEqual([200, 'digits-cnn=v3', 42]);
  }
  expect(ingress.strangers).toEqual([]);
});

test('a request that the gateway encodes anew goes to that host too', async () => {
  await using server = await startVariantServer(answers42);
  await using ingress = await startIngress(server.url);
  // An experiment that asks for inputs has every body read before it is routed.
  await using gateway = await startUpstreamGateway(ingress.url, {
    upstream: { headers: { host: HOST } },
    experiment: { hashAttribute: { json: 'parameters.user' } },
  });
  expect((await infer(gateway)).value).toBe(42);
  expect(server.arrived.map(({ headers }) => headers.host)).toEqual([HOST]);
});

test('without one the ingress knows nobody of the name in the address', async () => {
  await using server = await startVariantServer(answers42);
  await using ingress = await startIngress(server.url);
  await using gateway = await startUpstreamGateway(ingress.url, {
    upstream: { health: { interval: '50ms' } },
  });
  await eventually(async () => (await infer(gateway)).value === 7);
  expect(ingress.strangers.length).toBeGreaterThan(0);
});
