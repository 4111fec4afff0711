import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { request } from 'undici';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createKey } from '../../../gateway/trust/api-key.ts';
import { ROOT } from '../../e2e/cli.ts';
import { keysYaml } from '../keys-yaml.ts';
import { startGateway } from '../running-gateway.ts';
import type { RunningGateway } from '../running-gateway.ts';
import { MEASURED_FILES } from './predictions.ts';

const reader = createKey();
let gateway: RunningGateway;
beforeAll(async () => {
  gateway = await startGateway({
    admin: true,
    config: 'auth: { keys: ./keys.yaml }',
    files: {
      ...MEASURED_FILES,
      'keys.yaml': keysYaml([reader, 'scopes: ["admin:read"]']),
    },
  });
});
afterAll(() => gateway[Symbol.asyncDispose]());

const get = (path: string): Promise<Response> =>
  fetch(`http://${gateway.server.bound.admin ?? ''}${path}`, { redirect: 'manual' });

test.each(['/', '/console'])('%s leads to the console, wherever a proxy puts it', async (path) => {
  const response = await get(path);
  expect([response.status, response.headers.get('location')]).toEqual([302, 'console/']);
});

test('its files need no key: they have nothing of the gateway’s', async () => {
  const page = await get('/console/');
  expect(page.status).toBe(200);
  const names = [...(await page.text()).matchAll(/(?:src|href)="\.\/([^"]+)"/g)].map(
    ([, name]) => name ?? '',
  );
  expect(names).toContain('console.js');
  for (const name of [...names, 'inter.woff2']) {
    const response = await get(`/console/${name}`);
    expect([name, response.status]).toEqual([name, 200]);
    expect(Buffer.from(await response.arrayBuffer())).toEqual(
      await readFile(join(ROOT, 'dashboards/console/bundle', name)),
    );
  }
});

test('a browser keeps them, and asks whether they have changed', async () => {
  const page = await get('/console/console.js');
  expect(page.headers.get('cache-control')).toBe('no-cache');
  const headers = { 'if-none-match': page.headers.get('etag') ?? '' };
  // `fetch` would ask for it whole.
  const again = await request(page.url, { headers });
  expect(again.statusCode).toBe(304);
  await again.body.dump();
});

test('the page may load and ask its own address only, and nobody may frame it', async () => {
  const { headers } = await get('/console/');
  const policy = headers.get('content-security-policy') ?? '';
  expect(policy).toContain("default-src 'none'");
  expect(policy).toContain("frame-ancestors 'none'");
  expect(policy).not.toMatch(/unsafe|\*|https?:/);
  expect(headers.get('x-content-type-options')).toBe('nosniff');
  expect(headers.get('referrer-policy')).toBe('no-referrer');
  expect(headers.get('x-frame-options')).toBe('DENY');
});

test.each([
  '/console/../package.json',
  '/console/%2e%2e%2fpackage.json',
  '/console/none.js',
  '/console/.env',
])('there is nothing at %s', async (path) => {
  const response = await get(path);
  expect(response.status).toBeGreaterThanOrEqual(400);
  expect(response.status).toBeLessThan(500);
  expect(await response.text()).toMatch(/^\{"error":/);
});
