import { request } from 'node:http';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createKey } from '../../../gateway/trust/api-key.ts';
import { MEASURED_FILES } from '../faces/predictions.ts';
import { keysYaml } from '../keys-yaml.ts';
import { startGateway } from '../running-gateway.ts';
import type { RunningGateway } from '../running-gateway.ts';

const writer = createKey();
const EXPLICIT = 'models: { repository: ./models, control: explicit, load: ["*"] }\n';

let open: RunningGateway;
let keyed: RunningGateway;
beforeAll(async () => {
  [open, keyed] = await Promise.all([
    startGateway({ admin: true, config: EXPLICIT, files: MEASURED_FILES }),
    startGateway({
      admin: true,
      config: `${EXPLICIT}auth: { keys: ./keys.yaml }\n`,
      files: {
        ...MEASURED_FILES,
        'keys.yaml': keysYaml([writer, 'scopes: ["admin:read", "admin:write"]']),
      },
    }),
  ]);
});
afterAll(() => Promise.all([open[Symbol.asyncDispose](), keyed[Symbol.asyncDispose]()]));

/** `fetch` sends neither a foreign host nor what only browsers may. */
function send(
  address: string,
  headers: Readonly<Record<string, string>>,
  { method = 'POST', path = '/api/models/digits/load' } = {},
): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const call = request(`http://${address}${path}`, { method, headers }, (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => (text += chunk.toString()));
      response.on('end', () => {
        resolve({ status: response.statusCode ?? 0, text });
      });
    });
    call.on('error', reject).end();
  });
}

const admin = (gateway: RunningGateway): string => gateway.server.bound.admin ?? '';

test.each([
  [{ 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' }],
  [{ 'sec-fetch-site': 'same-site', origin: 'http://127.0.0.1:1' }],
  [{ origin: 'https://evil.example' }],
  [{ origin: 'null' }],
])('a page of another site can not control an open gateway: %o', async (headers) => {
  const refused = await send(admin(open), headers);
  expect(refused.status).toBe(403);
  expect(refused.text).toMatch(/only the gateway's own console may/);
  const repository = await send(open.url('').slice('http://'.length), headers, {
    path: '/v2/repository/models/digits/unload',
  });
  expect(repository.status).toBe(403);
});

test('its own console, and what is no browser, can', async () => {
  const address = admin(open);
  expect((await send(address, {})).status).toBe(200);
  expect((await send(address, { origin: `http://${address}` })).status).toBe(200);
  expect(
    (await send(address, { 'sec-fetch-site': 'same-origin', origin: 'https://proxied.example' })).status,
  ).toBe(200);
});

test('without keys a name that somebody else has lead to this machine is refused, reading too', async () => {
  const rebound = { host: 'evil.example:8003', 'sec-fetch-site': 'same-origin' };
  for (const path of ['/api/experiments', '/api/events']) {
    const refused = await send(admin(open), rebound, { method: 'GET', path });
    expect(refused.status).toBe(403);
    expect(refused.text).toMatch(/not at 'evil.example:8003'; configure auth.keys/);
  }
  expect((await send(admin(open), { host: 'localhost:8003' })).status).toBe(200);
});

test('with keys any name will do, as a key is nothing that a browser sends by itself', async () => {
  const authorization = `Bearer ${writer.text}`;
  expect((await send(admin(keyed), { host: 'signalbox.example', authorization })).status).toBe(200);
  expect((await send(admin(keyed), { host: 'signalbox.example' })).status).toBe(401);
  const foreign = { authorization, origin: 'https://evil.example' };
  expect((await send(admin(keyed), foreign)).status).toBe(403);
});
