/** `npm run pictures [-- POINTS]`: takes the pictures of `docs/images/` anew, of the demo under some minutes of traffic. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { eventually } from '../../gateway/running-gateway.ts';
import { temporaryFolder } from '../../models/temporary-folder.ts';
import { findChromium } from '../../servers/chromium.ts';
import { ConsoleBrowser } from './console-browser.ts';
import { IMAGES, PICTURES, take } from './pictures.ts';
import { startWatchedDemo } from './watched-demo.ts';

/** Of the course that the charts draw; they are some seconds apart. */
const points = Number(process.argv[2] ?? 36);
const REQUESTS_BETWEEN = 250;

const found = await findChromium();
if (found.kind === 'missing') throw new Error(found.reason);
// As many requests for each, so that fewer of them tell which is better.
await using demo = await startWatchedDemo([1, 1]);
for (let kept = 0; kept < points; kept = await demo.pointsKept()) {
  await demo.send(REQUESTS_BETWEEN);
  const before = kept;
  await eventually(async () => (await demo.pointsKept()) > before);
}
await using browser = await ConsoleBrowser.start(found.program, demo.admin);
await using folder = await temporaryFolder();
for (const picture of PICTURES)
  await writeFile(join(IMAGES, picture.file), await take(picture, demo, browser, folder.path));
