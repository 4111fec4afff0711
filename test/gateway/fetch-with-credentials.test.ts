import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { fetchWithCredentials } from '../../gateway/fetch-with-credentials.ts';
import { post } from '../../gateway/rollouts/outside-call.ts';
import { freePort } from '../servers/free-port.ts';

const server = createServer(({ headers }, response) => response.end(headers.authorization ?? 'none'));
let host = '';
beforeAll(async () => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

const basic = (text: string): string => `Basic ${Buffer.from(text).toString('base64')}`;

describe('an address with credentials in it', () => {
  test.each([
    ['a user and a password', 'somebody:word@', basic('somebody:word')],
    ['a user alone', 'token@', basic('token:')],
    ['escapes', 'some%40body:w%3Ard@', basic('some@body:w:rd')],
    ['a percent sign that escapes nothing', 'a:100%@', basic('a:100%')],
    ['neither', '', 'none'],
  ])('is called with %s as the basic scheme has them', async (_, credentials, expected) => {
    const answer = await fetchWithCredentials(`http://${credentials}${host}/`);
    expect(await answer.text()).toBe(expected);
  });

  test('is asked by a rollout’s analysis too, whose errors repeat none of it', async () => {
    const ask = (place: string): Promise<{ readonly text: string }> =>
      post(`http://prometheus:secret@${place}/`, 'text/plain', '', 5000, new AbortController().signal);
    expect((await ask(host)).text).toBe(basic('prometheus:secret'));
    const refusal = await ask(`127.0.0.1:${await freePort()}`).catch(String);
    expect(refusal).toContain('ECONNREFUSED');
    expect(refusal).not.toContain('secret');
  });
});
