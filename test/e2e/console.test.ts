import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createKey } from '../../gateway/trust/api-key.ts';
import { DEMO_FOLDER, startGateway } from '../gateway/running-gateway.ts';
import type { RunningGateway } from '../gateway/running-gateway.ts';
import { findChromium, startChromium } from '../servers/chromium.ts';
import { ROOT } from './cli.ts';

const found = await findChromium();
if (found.kind === 'missing') test.skip(`the console in a browser: ${found.reason}`, () => undefined);

const EXPERIMENT = `
key: digits-cnn
model: digits
status: running
control: v1
variants: [{ name: v1, version: 1, weight: 9 }, { name: v2, version: 2, weight: 1 }]
mirror: { variant: v2, share: 0.5 }
metrics: [{ name: correct, kind: proportion, role: goal }]
`;

/** What axe-core finds, as far as the test looks. */
interface Violation {
  readonly id: string;
  readonly nodes: readonly { readonly target: readonly unknown[]; readonly failureSummary?: string }[];
}

describe.skipIf(found.kind === 'missing')('the console, in a browser', () => {
  const keys = { reader: createKey(), writer: createKey() };
  let gateway: RunningGateway;
  let browser: Browser;
  let axe: string;
  const admin = (): string => `http://${gateway.server.bound.admin ?? ''}`;

  beforeAll(async () => {
    const { reader, writer } = keys;
    [gateway, browser, axe] = await Promise.all([
      startGateway({
        admin: true,
        repository: join(DEMO_FOLDER, 'models'),
        config: 'auth: { keys: ./keys.yaml }\nstate: sqlite:./state.db',
        files: {
          'experiments/digits.yaml': EXPERIMENT,
          'keys.yaml':
            `keys:\n  - { id: "${reader.id}", hash: "${reader.hash}", scopes: ["admin:read"] }\n` +
            `  - { id: "${writer.id}", name: "on call", hash: "${writer.hash}", scopes: [infer, outcomes, "admin:read", "admin:write"] }\n`,
        },
      }),
      startChromium(found.kind === 'found' ? found.program : ''),
      readFile(join(ROOT, 'node_modules/axe-core/axe.min.js'), 'utf8'),
    ]);
  }, 240_000);
  afterAll(async () => {
    await browser.close();
    await gateway[Symbol.asyncDispose]();
  });

  /** A page that was signed in with a key, and fails the test for whatever the browser complains of. */
  async function open(
    key: string,
    at = '',
    { colorScheme = 'light', width = 1280 }: { colorScheme?: 'light' | 'dark'; width?: number } = {},
  ): Promise<{ page: Page; complaints: string[]; [Symbol.asyncDispose]: () => Promise<void> }> {
    const context = await browser.newContext({
      viewport: { width, height: 900 },
      colorScheme,
      reducedMotion: 'reduce',
    });
    const page = await context.newPage();
    const complaints: string[] = [];
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('console', (message) => {
      if (message.type() === 'error' && !/status of 40[13]/.test(message.text()))
        complaints.push(message.text());
    });
    page.on('request', (request) => {
      if (!request.url().startsWith(admin())) complaints.push(`asked ${request.url()}`);
    });
    await page.goto(`${admin()}/console/${at}`);
    await page.getByLabel('API key').fill(key);
    await page.getByRole('button', { name: 'Sign in' }).click();
    return { page, complaints, [Symbol.asyncDispose]: () => context.close() };
  }

  /** Outside the page's own policy, which would not let it in. */
  async function violationsOn(page: Page): Promise<readonly string[]> {
    const violations = await page.evaluate<readonly Violation[]>(
      `${axe}; axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }).then(({ violations }) => violations)`,
    );
    return violations.map(
      ({ id, nodes }) => `${id}: ${nodes.map(({ failureSummary }) => failureSummary ?? '').join('; ')}`,
    );
  }

  async function sendTraffic(requests: number, users = requests): Promise<void> {
    const url = gateway.url('');
    const images = join(DEMO_FOLDER, 'images');
    const labels = JSON.parse(await readFile(join(images, 'labels.json'), 'utf8')) as Record<string, number>;
    const scans = await Promise.all(
      Object.entries(labels).map(async ([file, digit]) => ({
        png: await readFile(join(images, file)),
        digit,
      })),
    );
    const headers = { authorization: `Bearer ${keys.writer.text}` };
    let next = 0;
    const outcomes: object[] = [];
    const worker = async (): Promise<void> => {
      while (next < requests) {
        const index = next++;
        const scan = scans[index % scans.length];
        if (scan === undefined) continue;
        const response = await fetch(`${url}/predict/digits`, {
          method: 'POST',
          headers: { ...headers, 'x-user-id': `user-${index % users}`, 'content-type': 'image/png' },
          body: scan.png,
        });
        const answer = (await response.json()) as { predictions: { class_id: number }[] };
        outcomes.push({
          prediction_id: response.headers.get('x-prediction-id'),
          metric: 'correct',
          value: answer.predictions[0]?.class_id === scan.digit,
        });
      }
    };
    await Promise.all(Array.from({ length: 8 }, worker));
    await fetch(`${url}/v1/outcomes`, { method: 'POST', headers, body: JSON.stringify(outcomes) });
  }

  test('a wrong key is told so in the gateway’s words, and a good one opens it', async () => {
    await using opened = await open('sb_wrong');
    const { page } = opened;
    await page.getByRole('alert').filter({ hasText: "the key is not one of this gateway's" }).waitFor();
    await page.getByLabel('API key').fill(keys.reader.text);
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Experiments' }).waitFor();
    await page.getByRole('link', { name: 'digits-cnn' }).waitFor();
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByLabel('API key').waitFor();
    expect(await page.evaluate('sessionStorage.length')).toBe(0);
    expect(opened.complaints).toEqual([]);
  });

  test('who may only read is told why the buttons are locked', async () => {
    await using opened = await open(keys.reader.text, '#/experiments/digits-cnn');
    await opened.page.getByText('Your key may read only.').waitFor();
    expect(await opened.page.getByRole('button', { name: 'Roll back…' }).isDisabled()).toBe(true);
  });

  test('traffic is seen as it flows, and a rollback with a reason is in force, in the answers and in the audit log', async () => {
    await using opened = await open(keys.writer.text, '#/experiments/digits-cnn');
    const { page, complaints } = opened;
    await page.getByRole('heading', { name: 'Keep running' }).waitFor();
    const seen = page.locator('section', { has: page.locator('#split') }).getByRole('row', { name: /^v1/ });
    await sendTraffic(400);
    await seen
      .getByText(/^8\d\.\d %$|^9\d\.\d %$/)
      .last()
      .waitFor();
    await page.getByText(/requests answered by both/).waitFor();

    const button = page.getByRole('button', { name: 'Roll back…' });
    await button.press('Enter');
    const dialog = page.getByRole('dialog', { name: 'Roll back digits-cnn?' });
    await dialog.getByText(/Everybody gets v1/).waitFor();
    const confirm = dialog.getByRole('button', { name: 'Roll back' });
    expect(await confirm.isDisabled()).toBe(true);
    await page.keyboard.type('it reads sevens as ones');
    expect(await violationsOn(page)).toEqual([]);
    await confirm.click();
    await page.getByRole('status').filter({ hasText: 'digits-cnn is rolled back.' }).waitFor();
    await page.locator('.page-head .badge', { hasText: 'completed' }).first().waitFor();
    // The keyboard is where it was before the question.
    expect(await page.evaluate('document.activeElement.textContent')).toBe('Roll back…');

    const answer = await fetch(gateway.url('/predict/digits'), {
      method: 'POST',
      headers: {
        authorization: `Bearer ${keys.writer.text}`,
        'x-user-id': 'ada',
        'content-type': 'image/png',
      },
      body: await readFile(join(DEMO_FOLDER, 'images/0001.png')),
    });
    expect(answer.headers.get('x-experiment')).toBe('digits-cnn=v1');
    expect(answer.headers.get('x-experiment-reason')).toBe('default');
    await page.getByRole('link', { name: 'Audit log' }).click();
    const entry = page.getByRole('row', { name: /it reads sevens as ones/ });
    await entry.getByText('rolled back', { exact: true }).waitFor();
    await entry.getByText(/on call/).waitFor();
    await page.getByRole('link', { name: 'digits-cnn' }).first().click();
    await page.getByRole('button', { name: 'Resume…' }).click();
    await page.getByRole('dialog').getByLabel('Why').fill('for the tests that follow');
    await page.getByRole('dialog').getByRole('button', { name: 'Resume' }).click();
    await page.locator('.page-head .badge', { hasText: 'running' }).first().waitFor();
    expect(complaints).toEqual([]);
  }, 90_000);

  const VIEWS = [
    ['#/experiments', 'Experiments'],
    ['#/experiments/digits-cnn', 'Can it be believed?'],
    ['#/experiments/none', 'none'],
    ['#/models', 'digits'],
    ['#/audit', 'Audit log'],
  ] as const;

  test.each(['light', 'dark'] as const)(
    'every view is accessible when it is %s',
    async (colorScheme) => {
      await using opened = await open(keys.writer.text, '', { colorScheme });
      const { page, complaints } = opened;
      for (const [at, heading] of VIEWS) {
        await page.goto(`${admin()}/console/${at}`);
        await page.getByRole('heading', { name: heading, exact: true }).waitFor();
        expect([at, await violationsOn(page)]).toEqual([at, []]);
      }
      expect(complaints).toEqual([]);
    },
    90_000,
  );

  test('nothing is wider than a phone of 360 pixels', async () => {
    await using opened = await open(keys.writer.text, '', { width: 360 });
    const { page } = opened;
    for (const [at, heading] of VIEWS) {
      await page.goto(`${admin()}/console/${at}`);
      await page.getByRole('heading', { name: heading, exact: true }).waitFor();
      expect([at, await page.evaluate('document.documentElement.scrollWidth')]).toEqual([at, 360]);
    }
  }, 60_000);

  test('a gateway that can’t be reached is told, and the page goes on when it can', async () => {
    await using opened = await open(keys.writer.text, '#/experiments/digits-cnn');
    const { page } = opened;
    await page.getByRole('heading', { name: 'digits-cnn', exact: true }).waitFor();
    await page.context().setOffline(true);
    await page.getByRole('alert').filter({ hasText: 'Reconnecting' }).waitFor();
    expect(await page.getByRole('button', { name: 'Promote…' }).isDisabled()).toBe(true);
    await page.getByRole('heading', { name: 'digits-cnn', exact: true }).waitFor();
    expect(await violationsOn(page)).toEqual([]);
    await page.context().setOffline(false);
    await page.getByText('Live', { exact: true }).waitFor();
    expect(await page.getByRole('button', { name: 'Promote…' }).isDisabled()).toBe(false);
  });
});
