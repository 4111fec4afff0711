/**
 * Takes the pictures of `docs/images/` in Chromium: `screenshots.ts [ADMIN_URL] [CHROMIUM]`, of a running demo after
 * `signalbox demo traffic`.
 */
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const [, , admin = 'http://127.0.0.1:8003', program = '/usr/bin/chromium'] = process.argv;
const folder = fileURLToPath(new URL('../../docs/images/', import.meta.url));

const PICTURES = [
  { file: 'console-light.png', colorScheme: 'light', width: 1280, height: 1060 },
  { file: 'console-dark.png', colorScheme: 'dark', width: 1280, height: 1060 },
  { file: 'console-phone.png', colorScheme: 'light', width: 360, height: 780 },
] as const;

const browser = await chromium.launch({
  executablePath: program,
  args: process.getuid?.() === 0 ? ['--no-sandbox'] : [],
});
for (const { file, colorScheme, width, height } of PICTURES) {
  const page = await browser.newPage({ viewport: { width, height }, colorScheme, reducedMotion: 'reduce' });
  await page.goto(`${admin}/console/#/experiments/digits-cnn`);
  await page.locator('.chart canvas').first().waitFor();
  await page.evaluate('document.fonts.ready');
  await page.screenshot({ path: `${folder}${file}` });
  await page.close();
}
await browser.close();
