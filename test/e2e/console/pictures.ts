import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ROOT, run } from '../cli.ts';
import type { ConsoleBrowser, View } from './console-browser.ts';
import type { WatchedDemo } from './watched-demo.ts';

/** Where the documentation has them. */
export const IMAGES = join(ROOT, 'docs/images');

interface Picture extends Required<View> {
  readonly file: string;
  readonly of: 'console' | 'report';
}

/** A picture each of what the documentation shows. */
export const PICTURES: readonly Picture[] = [
  { file: 'console-light.png', of: 'console', colorScheme: 'light', width: 1280, height: 1060 },
  { file: 'console-dark.png', of: 'console', colorScheme: 'dark', width: 1280, height: 1060 },
  { file: 'console-phone.png', of: 'console', colorScheme: 'light', width: 360, height: 780 },
  { file: 'results-report.png', of: 'report', colorScheme: 'light', width: 1000, height: 1060 },
];

/** Takes a picture of the demo. @param folder where the results report is written */
export async function take(
  { of, ...view }: Picture,
  demo: WatchedDemo,
  browser: ConsoleBrowser,
  folder: string,
): Promise<Buffer> {
  if (of === 'console') {
    await using opened = await browser.open(demo.keys.writer, '#/experiments/digits-cnn', view);
    const { page } = opened;
    await page.getByRole('heading', { name: 'Can it be believed?' }).waitFor();
    // A course is drawn from three points on.
    if ((await demo.pointsKept()) > 2) await page.locator('.chart canvas').first().waitFor();
    await page.evaluate('document.fonts.ready');
    return await page.screenshot();
  }
  const report = join(folder, 'results.html');
  await using command = run(
    process.execPath,
    ['gateway/cli/main.ts', 'results', 'digits-cnn', '--html', report],
    { ...process.env, SIGNALBOX_ADMIN: demo.admin, SIGNALBOX_KEY: demo.keys.reader },
  );
  if ((await command.ended) !== 0) throw new Error(command.stderr());
  await using opened = await browser.blank(view);
  await opened.page.goto(pathToFileURL(report).href);
  return await opened.page.screenshot();
}
