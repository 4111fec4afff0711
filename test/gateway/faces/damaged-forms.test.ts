import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { DEMO_FOLDER, startGateway } from '../running-gateway.ts';
import type { RunningGateway } from '../running-gateway.ts';

let gateway: RunningGateway;
let form: Buffer;
beforeAll(async () => {
  gateway = await startGateway({ repository: join(DEMO_FOLDER, 'models') });
  form = Buffer.concat([
    Buffer.from('--a-boundary\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n'),
    await readFile(join(DEMO_FOLDER, 'images/0001.png')),
    Buffer.from('\r\n--a-boundary--\r\n'),
  ]);
});
afterAll(() => gateway[Symbol.asyncDispose]());

async function send(body: Uint8Array, path = '/predict/digits') {
  const headers = { 'content-type': 'multipart/form-data; boundary=a-boundary' };
  const response = await fetch(gateway.url(path), { method: 'POST', body: new Uint8Array(body), headers });
  return { status: response.status, text: await response.text() };
}

test('a whole form is answered', async () => {
  expect((await send(form)).status).toBe(200);
});

test.each([
  ['within its file', (whole: Buffer) => whole.subarray(0, -60)],
  ['before its last boundary', (whole: Buffer) => whole.subarray(0, -18)],
  ['within the head of a part', (whole: Buffer) => whole.subarray(0, 40)],
  [
    'with another boundary',
    (whole: Buffer) =>
      Buffer.from(whole.toString('latin1').replace('--a-boundary--', '--a-bound.ary--'), 'latin1'),
  ],
])('a form that ends %s is the caller’s mistake, not the gateway’s', async (_, damage) => {
  for (const path of ['/predict/digits', '/predictions/digits']) {
    const { status, text } = await send(damage(form), path);
    expect(status, text).toBe(400);
    expect(text).toContain('the multipart body');
  }
  expect(gateway.log.join('')).not.toContain('request failed');
});

test('a part whose head says no name is the caller’s mistake too', async () => {
  const damaged = Buffer.from(form.toString('latin1').replace('name="file"', 'nale="file"'), 'latin1');
  const { status, text } = await send(damaged);
  expect(status).toBe(400);
  expect(text).toContain('the multipart field has no name; expected \\"file\\"');
});
