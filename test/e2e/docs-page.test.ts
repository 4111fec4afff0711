import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { committed } from '../openapi/documents.ts';
import { addingModel } from '../models/small-models.ts';
import { startGateway } from '../gateway/running-gateway.ts';
import type { RunningGateway } from '../gateway/running-gateway.ts';
import { findChromium, startChromium } from '../servers/chromium.ts';

let gateway: RunningGateway;
const data = (): string => gateway.url('');
const admin = (): string => `http://${gateway.server.bound.admin ?? ''}`;

beforeAll(async () => {
  gateway = await startGateway({ admin: true, files: { 'models/simple/1/model.onnx': addingModel(1) } });
});
afterAll(() => gateway[Symbol.asyncDispose]());

describe('what can be called is told at the address where it is called', () => {
  test('each plane has its own document, as JSON, at /docs and for OPTIONS /, without a key', async () => {
    for (const [base, name] of [
      [data(), 'data'],
      [admin(), 'admin'],
    ] as const) {
      const document = await committed(name);
      expect(await (await fetch(`${base}/docs/${name}.json`)).json()).toEqual(document);
      const options = await fetch(base, { method: 'OPTIONS' });
      expect(options.status).toBe(200);
      expect(await options.json()).toEqual(document);
    }
  });

  test('the control plane shows the data plane’s document too, and the data plane keeps the other to itself', async () => {
    expect((await fetch(`${admin()}/docs/data.json`)).status).toBe(200);
    expect((await fetch(`${data()}/docs/admin.json`)).status).toBe(404);
  });

  test('there is nothing else of the page’s folder to be had', async () => {
    for (const path of [
      '/docs/index.html',
      '/docs/swagger-ui.js',
      '/docs/..%2fpackage.json',
      '/docs/%2e%2e/package.json',
    ]) {
      expect((await fetch(`${data()}${path}`)).status, path).toBe(404);
    }
  });
});

const found = await findChromium();
if (found.kind === 'missing')
  test.skip(`the page of the documents in a browser: ${found.reason}`, () => undefined);

describe.skipIf(found.kind === 'missing')('the page at /docs, in a browser', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await startChromium(found.kind === 'found' ? found.program : '');
  }, 240_000);
  afterAll(() => browser.close());

  test('shows every operation, asks nobody else for anything, breaks no rule of its own headers, and lets calls be tried out', async () => {
    const page = await browser.newPage();
    const complaints: string[] = [];
    const foreign: string[] = [];
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('console', (message) => {
      if (message.type() === 'error') complaints.push(message.text());
    });
    page.on('request', (request) => {
      const url = request.url();
      if (!url.startsWith(data()) && !url.startsWith('data:')) foreign.push(url);
    });
    await page.goto(`${data()}/docs`);
    expect(page.url()).toBe(`${data()}/docs/`);
    await page.locator('.opblock').first().waitFor();
    const { paths } = await committed('data');
    const operations = Object.values(paths).reduce((sum, methods) => sum + Object.keys(methods).length, 0);
    expect(await page.locator('.opblock').count()).toBe(operations);

    const health = page.locator('#operations-Health-health');
    await health.locator('.opblock-summary').click();
    await health.getByRole('button', { name: 'Try it out' }).click();
    await health.getByRole('button', { name: 'Execute' }).click();
    await health.locator('.live-responses-table').getByText('"healthy"').waitFor();

    expect(complaints).toEqual([]);
    expect(foreign).toEqual([]);
    await page.close();
  });

  test('on the control plane another plane’s document can be read, and not be tried out', async () => {
    const page = await browser.newPage();
    await page.goto(`${admin()}/docs/`);
    await page.locator('.opblock').first().waitFor();
    expect(await page.locator('.info .title').innerText()).toContain('control plane');
    await page.getByRole('link', { name: 'Data plane' }).click();
    await page.getByText('Signalbox: data plane').waitFor();
    const health = page.locator('#operations-Health-health');
    await health.locator('.opblock-summary').click();
    await health.locator('.responses-table').waitFor();
    expect(await health.getByRole('button', { name: 'Try it out' }).count()).toBe(0);
    await page.close();
  });
});
