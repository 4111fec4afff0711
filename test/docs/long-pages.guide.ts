import { test } from 'vitest';
import { tryPage } from './page-runner.ts';
import { GUIDES, blocksOfPage, missingFor } from './pages.ts';

const PAGES = await Promise.all(GUIDES.map(async (page) => ({ page, blocks: await blocksOfPage(page) })));
const LONG = PAGES.filter(({ blocks }) => blocks.some(({ words }) => words.has('long')));

// Whole pages, with what `npm test` leaves out: packages of Python, much traffic.
test.for(LONG)(
  'the commands of $page do what it says',
  { timeout: 1_800_000 },
  async ({ blocks }, { skip }) => {
    const missing = await missingFor(blocks);
    if (missing.length > 0) skip(missing.join('; '));
    await tryPage(blocks, { clone: true, npx: true, timeoutMs: 900_000 });
  },
);
