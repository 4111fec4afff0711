import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { startChromium } from '../../servers/chromium.ts';
import { ROOT } from '../cli.ts';

/** How a page is looked at. */
export interface View {
  readonly colorScheme?: 'light' | 'dark';
  readonly width?: number;
  readonly height?: number;
}

export interface OpenedPage extends AsyncDisposable {
  readonly page: Page;
  /** Whatever the browser complained of, and each address elsewhere that was asked. */
  readonly complaints: readonly string[];
}

/** What axe-core finds, as far as the test looks. */
interface Violation {
  readonly id: string;
  readonly nodes: readonly { readonly target: readonly unknown[]; readonly failureSummary?: string }[];
}

const LONGEST_MS = 100_000;

const STANDARDS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

/** A real Chromium, for the console of one gateway. */
export class ConsoleBrowser implements AsyncDisposable {
  readonly #browser: Browser;
  readonly #axe: string;
  readonly #admin: string;

  static async start(program: string, admin: string): Promise<ConsoleBrowser> {
    const [browser, axe] = await Promise.all([
      startChromium(program),
      readFile(join(ROOT, 'node_modules/axe-core/axe.min.js'), 'utf8'),
    ]);
    return new ConsoleBrowser(browser, axe, admin);
  }

  private constructor(browser: Browser, axe: string, admin: string) {
    this.#browser = browser;
    this.#axe = axe;
    this.#admin = admin;
  }

  /** A page without anything that others have left behind. */
  async blank({ colorScheme = 'light', width = 1280, height = 900 }: View = {}): Promise<OpenedPage> {
    const context = await this.#browser.newContext({
      viewport: { width, height },
      colorScheme,
      reducedMotion: 'reduce',
    });
    // As long as everything else may take on a machine that is busy with something else.
    context.setDefaultTimeout(LONGEST_MS);
    const page = await context.newPage();
    const complaints: string[] = [];
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('console', (message) => {
      if (message.type() === 'error' && !/status of 40[139]/.test(message.text()))
        complaints.push(message.text());
    });
    page.on('request', (request) => {
      if (!request.url().startsWith(this.#admin)) complaints.push(`asked ${request.url()}`);
    });
    return { page, complaints, [Symbol.asyncDispose]: () => context.close() };
  }

  /** The console, signed in. @param at as `#/models` */
  async open(key: string, at = '', view: View = {}): Promise<OpenedPage> {
    const opened = await this.blank(view);
    await opened.page.goto(`${this.#admin}/console/${at}`);
    await opened.page.getByLabel('API key').fill(key);
    await opened.page.getByRole('button', { name: 'Sign in' }).click();
    return opened;
  }

  /** Goes to another of the console's pages, and waits for its heading. */
  async visit(page: Page, at: string, heading: string): Promise<void> {
    await page.goto(`${this.#admin}/console/${at}`);
    await page.getByRole('heading', { name: heading, exact: true }).waitFor();
  }

  /**
   * What axe-core has to say against a page. It runs outside the page's own policy, which would not let it in.
   *
   * @param rules left out: those of WCAG 2.2 AA, and good practice
   */
  async violationsOn(page: Page, rules?: readonly string[]): Promise<readonly string[]> {
    const only = rules === undefined ? STANDARDS : { type: 'rule', values: rules };
    const violations = await page.evaluate<readonly Violation[]>(
      `${this.#axe}; axe.run(document, { runOnly: ${JSON.stringify(only)}, resultTypes: ['violations'] }).then(({ violations }) => violations)`,
    );
    return violations.map(
      ({ id, nodes }) => `${id}: ${nodes.map(({ failureSummary }) => failureSummary ?? '').join('; ')}`,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#browser.close();
  }
}
