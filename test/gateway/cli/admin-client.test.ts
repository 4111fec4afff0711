import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { askAdmin, isRecord } from '../../../gateway/cli/admin-client.ts';

type Answer = (response: ServerResponse, request: IncomingMessage) => void;

const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

/** A server that answers its calls in turn; the last answer is that of all others. */
async function serverOf(...answers: readonly Answer[]) {
  const requests: { readonly url: string; readonly key: string }[] = [];
  const server = createServer((request, response) => {
    requests.push({ url: request.url ?? '', key: String(request.headers['idempotency-key']) });
    answers[Math.min(requests.length, answers.length) - 1]?.(response, request);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  closing.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return { host: `127.0.0.1:${(server.address() as AddressInfo).port}`, requests };
}

const hangUp: Answer = (response) => response.destroy();
const never: Answer = () => undefined;
const done: Answer = (response) => response.end('{"changed":true}');

const command = (url: string, more: object = { idempotencyKey: 'k1' }) =>
  askAdmin(url, '/api/experiments/a/pause?x=1', isRecord, { body: { reason: 'x' }, ...more });

test('a command whose first try was hung up on is sent once more, under its name', async () => {
  const { host, requests } = await serverOf(hangUp, done);
  expect(await command(`http://${host}`)).toEqual({ changed: true });
  expect(requests.map(({ key }) => key)).toEqual(['k1', 'k1']);
});

test('where nobody knows what came of it, that is said, with the name to send it again under', async () => {
  const { host, requests } = await serverOf(hangUp);
  await expect(command(`http://${host}`)).rejects.toThrow(
    /hung up without an answer .* It may have been carried out; send it again with --idempotency-key k1/,
  );
  expect(requests).toHaveLength(2);
  const slow = await serverOf(never);
  await expect(command(`http://${slow.host}`, { idempotencyKey: 'k2', timeoutMs: 50 })).rejects.toThrow(
    /did not answer within 0\.05 s.* --idempotency-key k2/,
  );
});

test('what has no name is sent once, and may have been carried out too', async () => {
  const { host, requests } = await serverOf(hangUp);
  await expect(command(`http://${host}`, {})).rejects.toThrow(/It may have been carried out; look before/);
  expect(requests).toHaveLength(1);
});

test('an answer that breaks off is no answer', async () => {
  const { host } = await serverOf((response) => {
    response.writeHead(200, { 'content-length': '100' });
    response.write('{"changed":');
    setImmediate(() => response.destroy());
  });
  await expect(command(`http://${host}`)).rejects.toThrow(/It may have been carried out/);
});

test('TLS that does not fit, a closed port and a redirect are told apart, and nothing was carried out', async () => {
  const { host, requests } = await serverOf((response) =>
    response.writeHead(307, { location: 'http://127.0.0.1:1/' }).end(),
  );
  const faultOf = (url: string): Promise<unknown> =>
    command(url).catch((error: unknown) => (error instanceof Error ? error.message : error));
  expect(await faultOf(`https://${host}`)).toMatch(/no TLS connection to .*; name it with http:/s);
  expect(await faultOf(`http://${host}`)).toMatch(/answers with a redirect, which is not followed/);
  expect(requests).toHaveLength(1);
  const { host: closed } = await serverOf(done);
  closing.pop()?.();
  expect(await faultOf(`http://${closed}`)).toMatch(/no control plane answers at .* \(ECONNREFUSED\)/);
  expect(await faultOf('localhost:8003')).toMatch(/--admin is "localhost:8003"; expected an address as/);
});

test('an address may have a path in front, as behind a proxy', async () => {
  const { host, requests } = await serverOf(done);
  await command(`http://${host}/signalbox/`);
  await command(`http://${host}/signalbox`);
  await command(`http://${host}`);
  expect(requests.map(({ url }) => url)).toEqual([
    '/signalbox/api/experiments/a/pause?x=1',
    '/signalbox/api/experiments/a/pause?x=1',
    '/api/experiments/a/pause?x=1',
  ]);
});
