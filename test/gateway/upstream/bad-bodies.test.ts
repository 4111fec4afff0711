import net from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { eventually, metricValue } from '../running-gateway.ts';
import type { RunningGateway } from '../running-gateway.ts';
import { infer, startUpstreamGateway } from './upstream-gateway.ts';
import { startVariantServer } from './variant-server.ts';
import type { VariantServer } from './variant-server.ts';

let server: VariantServer;
beforeEach(async () => {
  server = await startVariantServer();
});
afterEach(() => server[Symbol.asyncDispose]());

const OVER_LIMIT = 300_000;

/** A request whose body comes in one chunk, with what ends it. */
function chunked(headers: readonly string[], body: Buffer): Buffer {
  const head = [
    'POST /v2/models/digits/infer HTTP/1.1',
    'Host: gateway',
    'Transfer-Encoding: chunked',
    ...headers,
  ];
  return Buffer.concat([
    Buffer.from(`${head.join('\r\n')}\r\nConnection: close\r\n\r\n${body.length.toString(16)}\r\n`),
    body,
    Buffer.from('\r\n0\r\n\r\n'),
  ]);
}

/** Sends bytes over a connection of their own, and reads what comes back until it ends. */
async function exchange(gateway: RunningGateway, bytes: Buffer): Promise<string> {
  const { hostname, port } = new URL(gateway.url('/'));
  const socket = net.connect(Number(port), hostname);
  socket.write(bytes);
  let text = '';
  for await (const piece of socket) text += (piece as Buffer).toString('latin1');
  return text;
}

const tries = async (gateway: RunningGateway, result: string): Promise<number> =>
  metricValue(await gateway.metrics(), 'signalbox_upstream_tries_total', { variant: 'v3', result });

/** That six of them were counted as their callers' mistakes, and that the variant answers on. */
async function isTheCallers(gateway: RunningGateway): Promise<void> {
  expect(await infer(gateway)).toMatchObject({ status: 200, variant: 'digits-cnn=v3', reason: 'split' });
  const text = await gateway.metrics();
  const counted = (outcome: string): number =>
    metricValue(text, 'signalbox_requests_total', { variant: 'v3', outcome });
  expect([counted('client_error'), counted('error'), counted('timeout')]).toEqual([6, 0, 0]);
  expect(await tries(gateway, 'rejected')).toBe(6);
}

describe('a body that its caller spoiled is told so, and is neither the variant’s error nor a mark against its server:', () => {
  test('longer than server.bodyLimit, which shows only as it comes', async () => {
    await using gateway = await startUpstreamGateway(server.url, { config: 'server: { bodyLimit: 128KiB }' });
    for (let call = 0; call < 6; call++) {
      const answer = await exchange(gateway, chunked([], Buffer.alloc(OVER_LIMIT, ' ')));
      expect(answer).toMatch(/^HTTP\/1\.1 400 .*the body has more than 131072 bytes/s);
    }
    await isTheCallers(gateway);
  });

  test.each([
    ['what is no gzip', Buffer.from('hello')],
    ['gzip that breaks off', Buffer.from('1f8b0800000000000003cb48cdc9', 'hex')],
  ])('%s under Content-Encoding: gzip', async (_, body) => {
    await using gateway = await startUpstreamGateway(server.url);
    for (let call = 0; call < 6; call++) {
      const answer = await exchange(gateway, chunked(['Content-Encoding: gzip'], body));
      expect(answer).toMatch(/^HTTP\/1\.1 400 .*the body is not what its Content-Encoding says/s);
    }
    await isTheCallers(gateway);
  });

  test('a connection that its caller resets in the middle of it', async () => {
    await using gateway = await startUpstreamGateway(server.url, { upstream: { retries: 0 } });
    const { hostname, port } = new URL(gateway.url('/'));
    for (let call = 1; call <= 6; call++) {
      const socket = net.connect(Number(port), hostname);
      socket.write(
        `POST /v2/models/digits/infer HTTP/1.1\r\nHost: gateway\r\nContent-Length: 200000\r\n\r\n${'x'.repeat(70_000)}`,
      );
      await eventually(() => server.begun === call);
      socket.resetAndDestroy();
      await eventually(async () => (await tries(gateway, 'cancelled')) === call);
    }
    expect(await infer(gateway)).toMatchObject({ variant: 'digits-cnn=v3', reason: 'split' });
    const text = await gateway.metrics();
    const labels = { variant: 'v3', outcome: 'cancelled' };
    expect(metricValue(text, 'signalbox_requests_total', labels)).toBe(6);
  });
});

test('garbage that comes while its server can’t be reached is refused all the same, and the process lives on', async () => {
  await using gateway = await startUpstreamGateway(server.url, {
    upstream: { retries: 0, breaker: { failures: 1, openFor: '1h' } },
  });
  await server.shut();
  expect(await infer(gateway)).toMatchObject({ reason: 'fallback' });
  const answer = await exchange(gateway, chunked(['Content-Encoding: gzip'], Buffer.from('hello')));
  expect(answer).toMatch(/^HTTP\/1\.1 400 .*the body is not what its Content-Encoding says/s);
  expect(await infer(gateway)).toMatchObject({ status: 200, reason: 'fallback' });
});
