import { expect, test } from 'vitest';
import { anchorsOf, brokenLinks, linkedPages, linksOf } from './links.ts';
import { PAGES } from './pages.ts';

test.each(PAGES)('%s: every link leads somewhere', async (page) => {
  expect(await brokenLinks(page)).toEqual([]);
});

test('every page of docs/ is reached from its index, and the index from the README', async () => {
  expect(await linkedPages('README.md')).toContain('docs/README.md');
  const reached = new Set(['docs/README.md']);
  for (const page of reached) {
    for (const next of await linkedPages(page)) if (next.startsWith('docs/')) reached.add(next);
  }
  expect([...reached].toSorted()).toEqual(PAGES.filter((page) => page.startsWith('docs/')).toSorted());
});

test('a broken link is found, whatever it is', () => {
  const page = [
    '[a](b.md#c "title") ![p](images/p.png) `[code](no.md)` <https://example.org/x>',
    '[ref]: ./d.md',
    '```',
    '[in a block](no.md)',
    '```',
    '<!-- [in a comment](no.md) -->',
  ].join('\n');
  expect(linksOf(page)).toEqual([
    { line: 1, target: 'b.md#c' },
    { line: 1, target: 'images/p.png' },
    { line: 1, target: 'https://example.org/x' },
    { line: 2, target: './d.md' },
  ]);
});

test('anchors are those of GitHub', () => {
  expect([
    ...anchorsOf('# The `keys.yaml` file, and *more*\n## A & B\n## A & B\n```\n# no heading\n```'),
  ]).toEqual(['the-keysyaml-file-and-more', 'a--b', 'a--b-1']);
});
