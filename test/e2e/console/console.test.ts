import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Locator, Page } from 'playwright-core';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { experimentFile, startGateway } from '../../gateway/running-gateway.ts';
import { identityModel } from '../../models/onnx-graph.ts';
import { temporaryFolder } from '../../models/temporary-folder.ts';
import { ELSEWHERE, findChromium } from '../../servers/chromium.ts';
import { ConsoleBrowser } from './console-browser.ts';
import { IMAGES, PICTURES, take } from './pictures.ts';
import { startWatchedDemo } from './watched-demo.ts';
import type { WatchedDemo } from './watched-demo.ts';

const found = await findChromium();
if (found.kind === 'missing') test.skip(`the console in a browser: ${found.reason}`, () => undefined);

describe.skipIf(found.kind === 'missing')('the console, in a browser', () => {
  let demo: WatchedDemo;
  let browser: ConsoleBrowser;

  beforeAll(async () => {
    demo = await startWatchedDemo([9, 1]);
    [browser] = await Promise.all([
      ConsoleBrowser.start(found.kind === 'found' ? found.program : '', demo.admin),
      demo.send(300),
    ]);
  });
  afterAll(async () => {
    await browser[Symbol.asyncDispose]();
    await demo[Symbol.asyncDispose]();
  });

  test.each(PICTURES)(
    'docs/images/$file shows it as it is; `npm run pictures` takes it anew',
    async (picture) => {
      await using folder = await temporaryFolder();
      const taken = await take(picture, demo, browser, folder.path);
      const committed = await sharp(await readFile(join(IMAGES, picture.file))).metadata();
      const { width, height, colorScheme } = picture;
      expect(committed).toMatchObject({ format: 'png', width, height });
      const { channels, entropy } = await sharp(taken).stats();
      // Neither a blank page, nor one in the wrong colours.
      expect(entropy).toBeGreaterThan(0.5);
      const brightness = (channels[0]?.mean ?? 0) / 255;
      expect(brightness > 0.5).toBe(colorScheme === 'light');
    },
  );

  test('a wrong key is told so in the gateway’s words, and a good one opens it', async () => {
    await using opened = await browser.open('sb_wrong');
    const { page } = opened;
    await page.getByRole('alert').filter({ hasText: "the key is not one of this gateway's" }).waitFor();
    await page.getByLabel('API key').fill(demo.keys.reader);
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Experiments' }).waitFor();
    await page.getByRole('link', { name: 'digits-cnn' }).waitFor();
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByLabel('API key').waitFor();
    expect(await page.evaluate('sessionStorage.length')).toBe(0);
    expect(opened.complaints).toEqual([]);
  });

  test('who may only read is told why the buttons are locked', async () => {
    await using opened = await browser.open(demo.keys.reader, '#/experiments/digits-cnn');
    await opened.page.getByText('Your key may read only.').waitFor();
    expect(await opened.page.getByRole('button', { name: 'Roll back…' }).isDisabled()).toBe(true);
  });

  test('over plain HTTP at the name of another machine, buttons do what they do at localhost', async () => {
    await using opened = await browser.blank();
    const { page } = opened;
    const errors: string[] = [];
    page.on('pageerror', (error) => errors.push(error.message));
    await page.goto(`${demo.admin.replace('127.0.0.1', ELSEWHERE)}/console/#/experiments/digits-cnn`);
    expect(await page.evaluate('isSecureContext')).toBe(false);
    await page.getByLabel('API key').fill(demo.keys.writer);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('button', { name: 'Roll back…' }).click();
    await page.getByRole('dialog').getByText('Why').first().waitFor();
    expect(errors).toEqual([]);
  });

  test('an address that can’t be read is no page, and the others can be reached from it', async () => {
    await using opened = await browser.open(demo.keys.reader, '#/experiments/%E0%A4%A');
    await opened.page.getByRole('heading', { name: 'There is no such page' }).waitFor();
    await opened.page.getByRole('link', { name: 'All experiments' }).click();
    await opened.page.getByRole('link', { name: 'digits-cnn' }).waitFor();
    expect(opened.complaints).toEqual([]);
  });

  test('the first paint needs a handful of small files, from the gateway alone', async () => {
    await using opened = await browser.blank();
    const { page, complaints } = opened;
    await page.goto(`${demo.admin}/console/`);
    await page.getByLabel('API key').waitFor();
    const files = await page.evaluate<readonly number[]>(
      "[...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')].map(({ transferSize }) => transferSize)",
    );
    expect(files.length).toBeLessThanOrEqual(7);
    expect(files.reduce((sum, bytes) => sum + bytes)).toBeLessThan(250_000);
    expect(complaints).toEqual([]);
  });

  /** Does it as a person would, who says why. */
  async function act(
    page: Page,
    { button, question, why }: { readonly button: string; readonly question: string; readonly why: string },
    look?: () => Promise<void>,
  ): Promise<void> {
    await page.getByRole('button', { name: `${button}…` }).press('Enter');
    const dialog = page.getByRole('dialog', { name: question });
    const confirm = dialog.getByRole('button', { name: button, exact: true });
    await dialog.getByText('The split, within a second').waitFor();
    expect(await confirm.isDisabled()).toBe(true);
    await page.keyboard.type(why);
    await look?.();
    await confirm.click();
    // What the page learns only now of what was done before is asked anew, and has to be confirmed again.
    const isRefused = dialog.getByRole('alert');
    await expect
      .poll(async () => {
        if (await isRefused.isVisible()) await confirm.click();
        return dialog.isHidden();
      })
      .toBe(true);
  }

  const USERS = Array.from({ length: 24 }, (_, index) => `asked-${index}`);

  /** What the users are told, without what all are told alike. */
  async function answers(): Promise<readonly string[]> {
    const told = await Promise.all(USERS.map((user) => demo.answerTo(user)));
    return [
      ...new Set(told.map(({ experiment, reason }) => `${experiment ?? ''} ${reason ?? ''}`)),
    ].toSorted();
  }

  test('traffic is seen as it flows; what a person does is in force, in the answers and in the audit log', async () => {
    await using opened = await browser.open(demo.keys.writer, '#/experiments/digits-cnn');
    const { page, complaints } = opened;
    const badge = (text: string): Promise<void> =>
      page.locator('.page-head .badge', { hasText: text }).first().waitFor();
    await page.getByRole('heading', { name: 'Can it be believed?' }).waitFor();
    const units = page.locator('section', { has: page.locator('#split') }).getByRole('row', { name: /^v1/ });
    const before = await units.textContent();
    await demo.send(200);
    await expect.poll(() => units.textContent()).not.toBe(before);
    await units
      .getByText(/^8\d\.\d %$|^9\d\.\d %$/)
      .last()
      .waitFor();
    await page.getByText(/requests answered by both/).waitFor();
    expect(await answers()).toEqual(['digits-cnn=v1 split', 'digits-cnn=v2 split']);

    await act(page, { button: 'Pause', question: 'Pause digits-cnn?', why: 'a look at the camera' });
    await badge('paused');
    expect(await answers()).toEqual(['digits-cnn=v1 default']);

    await act(page, { button: 'Resume', question: 'Resume digits-cnn?', why: 'it was the lens' });
    await badge('running');
    expect(await answers()).toEqual(['digits-cnn=v1 split', 'digits-cnn=v2 split']);

    await act(
      page,
      { button: 'Roll back', question: 'Roll back digits-cnn?', why: 'it reads sevens as ones' },
      async () => {
        await page.getByText(/Everybody gets v1/).waitFor();
        expect(await browser.violationsOn(page)).toEqual([]);
      },
    );
    await page.getByRole('status').filter({ hasText: 'digits-cnn is rolled back.' }).waitFor();
    await badge('completed');
    // The keyboard is where it was before the question.
    expect(await page.evaluate('document.activeElement.textContent')).toBe('Roll back…');
    expect(await answers()).toEqual(['digits-cnn=v1 default']);

    await act(page, { button: 'Promote', question: 'Promote digits-cnn?', why: 'sevens are read again' });
    await expect.poll(answers).toEqual(['digits-cnn=v2 default']);

    await act(page, { button: 'Resume', question: 'Resume digits-cnn?', why: 'for the tests that follow' });
    await badge('running');

    await page.getByRole('link', { name: 'Audit log' }).click();
    for (const [why, done] of [
      ['a look at the camera', 'paused'],
      ['it was the lens', 'resumed'],
      ['it reads sevens as ones', 'rolled back'],
      ['sevens are read again', 'promoted'],
    ] as const) {
      const entry = page.getByRole('row', { name: new RegExp(why) });
      await entry.getByText(done, { exact: true }).waitFor();
      await entry.getByText(/on call/).waitFor();
    }
    expect(complaints).toEqual([]);
  });

  const VIEWS = [
    ['#/experiments', 'Experiments'],
    ['#/experiments/digits-cnn', 'Can it be believed?'],
    ['#/experiments/none', 'none'],
    ['#/models', 'digits'],
    ['#/audit', 'Audit log'],
  ] as const;

  test.each([
    { colorScheme: 'light', rules: undefined },
    // Nothing but the colours is another.
    { colorScheme: 'dark', rules: ['color-contrast', 'link-in-text-block'] },
  ] as const)('every view is accessible when it is $colorScheme', async ({ colorScheme, rules }) => {
    await using opened = await browser.open(demo.keys.writer, '', { colorScheme });
    const { page, complaints } = opened;
    for (const [at, heading] of VIEWS) {
      await browser.visit(page, at, heading);
      expect([at, await browser.violationsOn(page, rules)]).toEqual([at, []]);
    }
    expect(complaints).toEqual([]);
  });

  test('nothing is wider than a phone of 360 pixels', async () => {
    await using opened = await browser.open(demo.keys.writer, '', { width: 360 });
    const { page } = opened;
    for (const [at, heading] of VIEWS) {
      await browser.visit(page, at, heading);
      expect([at, await page.evaluate('document.documentElement.scrollWidth')]).toEqual([at, 360]);
    }
  });

  test('names as long as they may be fit a phone, and so does the question about them', async () => {
    const name = (of: string) => `${of}-${'x'.repeat(63 - of.length - 1)}`;
    const [key, model, control, challenger] = [
      name('key'),
      name('model'),
      name('control'),
      name('challenger'),
    ];
    await using gateway = await startGateway({
      admin: true,
      files: {
        [`models/${model}/1/model.onnx`]: identityModel('FP32', ['batch', 1]),
        [`models/${model}/2/model.onnx`]: identityModel('FP32', ['batch', 1]),
        'experiments/long.yaml': experimentFile({
          key,
          model,
          control,
          phase: { number: 1, name: 'p'.repeat(100) },
          variants: [
            { name: control, version: 1, weight: 100 },
            { name: challenger, version: 2, weight: 0 },
          ],
          metrics: [{ name: 'correct', kind: 'proportion', role: 'goal' }],
          mirror: { variant: challenger },
          rollout: { steps: [{ setWeight: 5 }, { pause: {} }, { setWeight: 50 }] },
        }),
      },
    });
    await using opened = await browser.blank({ width: 360, height: 780 });
    const { page } = opened;
    const widest = (): Promise<number> => page.evaluate('document.documentElement.scrollWidth');
    const at = `http://${gateway.server.bound.admin ?? ''}/console/`;
    await page.goto(at);
    await page.getByRole('link', { name: key }).waitFor();
    expect(await widest()).toBe(360);
    for (const [view, shown] of [
      ['models', model],
      ['audit', key],
    ] as const) {
      await page.goto(`${at}#/${view}`);
      await page.getByText(shown).first().waitFor();
      expect([view, await widest()]).toEqual([view, 360]);
    }
    await page.goto(`${at}#/experiments/${key}`);
    await page.getByRole('heading', { name: 'Can it be believed?' }).waitFor();
    expect(await widest()).toBe(360);
    await page.getByRole('button', { name: 'Promote…' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByText('The split, within a second').waitFor();
    const right = (locator: Locator) =>
      locator.evaluate(
        (element) =>
          (element as { getBoundingClientRect(): { right: number } }).getBoundingClientRect().right,
      );
    for (const part of [
      dialog.getByRole('button', { name: 'Promote', exact: true }),
      dialog.getByRole('columnheader', { name: 'Then' }),
      dialog.getByRole('heading'),
    ])
      expect(await right(part)).toBeLessThan(await right(dialog));
    const confirm = await dialog.getByRole('button', { name: 'Promote', exact: true }).boundingBox();
    expect((confirm?.y ?? 780) + (confirm?.height ?? 0)).toBeLessThan(780);
  });

  test('more tabs than a browser keeps connections for are all told what changes, and their buttons work', async () => {
    await using opened = await browser.blank();
    const context = opened.page.context();
    await context.addInitScript(`sessionStorage.setItem('signalbox.key', '${demo.keys.writer}')`);
    const pages = await Promise.all(Array.from({ length: 7 }, () => context.newPage()));
    const units = (page: Page) =>
      page.locator('section', { has: page.locator('#split') }).getByRole('row', { name: /^v1/ });
    for (const page of pages) {
      await page.goto(`${demo.admin}/console/#/experiments/digits-cnn`);
      await units(page).waitFor();
    }
    const before = await Promise.all(pages.map((page) => units(page).textContent()));
    await demo.send(200);
    await Promise.all(
      pages.map(async (page, index) => {
        await expect.poll(() => units(page).textContent()).not.toBe(before[index]);
        await page.getByRole('button', { name: 'Roll back…' }).click();
        await page.getByRole('dialog').getByText('The split, within a second').waitFor();
        expect(await page.getByText('Reconnecting').count()).toBe(0);
      }),
    );
  });

  test('a question that somebody else has answered meanwhile is asked anew', async () => {
    await using opened = await browser.open(demo.keys.writer, '#/experiments/digits-cnn');
    const { page } = opened;
    await page.getByRole('button', { name: 'Pause…' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByText('Everybody gets v1').waitFor();
    await demo.tell('experiments/digits-cnn/pause', { reason: 'somebody else was faster' });
    await dialog.getByText('It stands there already').waitFor();
    await demo.tell('experiments/digits-cnn/resume', { reason: 'for the tests that follow' });
    await dialog.getByText('Everybody gets v1').waitFor();
  });

  test('the audit log puts what is done before what was read of it, be it of a key, and forgets nothing', async () => {
    for (let changes = 0; changes < 102; changes++) {
      const reason = `change ${changes}`;
      await demo.tell(`experiments/digits-cnn/${changes % 2 === 0 ? 'pause' : 'resume'}`, { reason });
    }
    await using opened = await browser.open(demo.keys.writer, '#/audit');
    const { page } = opened;
    const rows = page.locator('tbody tr');
    await expect.poll(() => rows.count()).toBe(100);
    await page.getByRole('button', { name: 'Show earlier entries' }).click();
    await expect.poll(() => rows.count()).toBeGreaterThan(100);
    const shown = await rows.count();
    expect((await demo.tell('keys', { name: 'a camera', scopes: ['infer'] })).status).toBe(201);
    await rows
      .first()
      .getByText(/a camera/)
      .waitFor();
    await demo.tell('experiments/digits-cnn/promote', { variant: 'v1', reason: 'the last of them' });
    await rows.first().getByText('the last of them').waitFor();
    expect(await rows.count()).toBe(shown + 2);
    await demo.tell('experiments/digits-cnn/resume', { reason: 'for the tests that follow' });
  });

  test('a gateway that can’t be reached is told, and the page goes on when it can', async () => {
    await using opened = await browser.open(demo.keys.writer, '#/experiments/digits-cnn');
    const { page } = opened;
    await page.getByRole('heading', { name: 'digits-cnn', exact: true }).waitFor();
    await page.context().setOffline(true);
    await page.getByRole('alert').filter({ hasText: 'Reconnecting' }).waitFor();
    expect(await page.getByRole('button', { name: 'Promote…' }).isDisabled()).toBe(true);
    await page.getByRole('heading', { name: 'digits-cnn', exact: true }).waitFor();
    expect(await browser.violationsOn(page)).toEqual([]);
    await page.context().setOffline(false);
    await page.getByText('Live', { exact: true }).waitFor();
    expect(await page.getByRole('button', { name: 'Promote…' }).isDisabled()).toBe(false);
  });
});
