import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startRollout } from '../gateway/rollouts/rolled-out.ts';
import type { RunningGateway } from '../gateway/running-gateway.ts';
import { rightClassifier } from '../models/classifiers.ts';
import { findChromium, startChromium } from '../servers/chromium.ts';

const found = await findChromium();
if (found.kind === 'missing') test.skip(`a rollout in a browser: ${found.reason}`, () => undefined);

const STEPS = [
  { setWeight: 5 },
  { pause: {} },
  { setWeight: 50 },
  { pause: { duration: '1h' } },
  { analysis: {} },
];

describe.skipIf(found.kind === 'missing')('a rollout in the console', () => {
  let gateway: RunningGateway;
  let browser: Browser;
  beforeAll(async () => {
    [gateway, browser] = await Promise.all([
      startRollout({ version2: rightClassifier(), rollout: { steps: STEPS }, admin: true }),
      startChromium(found.kind === 'found' ? found.program : ''),
    ]);
  }, 240_000);
  afterAll(async () => {
    await browser.close();
    await gateway[Symbol.asyncDispose]();
  });

  test('is drawn by its plan, moves with it, and offers what can come of it', async () => {
    const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
    await page.goto(`http://${gateway.server.bound.admin ?? ''}/console/#/experiments/classes`);
    const here = page.locator('.station.here');
    const buttons = (): Promise<readonly string[]> => page.locator('.actions button').allInnerTexts();
    await here.getByText('5 %').waitFor();
    expect(await page.locator('.station b').allInnerTexts()).toEqual(['0 %', '5 %', '50 %', '100 %']);
    await page.getByText('v2 gets 5 %; waits for somebody to promote it.').waitFor();
    expect(await buttons()).toEqual(['Promote…', 'Pause…', 'Roll back…']);

    await page.getByRole('button', { name: 'Promote…' }).click();
    await page
      .getByRole('dialog')
      .getByText(/^v2 gets 50 %; goes on at /)
      .waitFor();
    await page.getByLabel('Why').fill('the testers are content');
    await page.getByRole('button', { name: 'Promote', exact: true }).click();
    await here.getByText('50 %').waitFor();
    await page.locator('.rollout-why').getByText('“the testers are content”').waitFor();

    await page.getByRole('button', { name: 'Roll back…' }).click();
    await page.getByLabel('Why').fill('complaints');
    await page.getByRole('button', { name: 'Roll back', exact: true }).click();
    await page.getByText('Aborted: everybody gets v1, until somebody resumes it.').waitFor();
    await here.getByText('0 %').waitFor();
    await page.locator('.page-head .badge').getByText('aborted').waitFor();
    expect(await buttons()).toEqual(['Promote…', 'Resume…']);
    await page.goto(`http://${gateway.server.bound.admin ?? ''}/console/#/experiments`);
    await page.locator('.card').getByText('Aborted: everybody gets v1').waitFor();
    await page.close();
  });
});
