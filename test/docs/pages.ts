import { glob } from 'node:fs/promises';
import { ROOT } from '../e2e/cli.ts';
import { findServer } from '../servers/debian-server.ts';
import { blocksOf, readPage } from './markdown-page.ts';
import type { Block } from './markdown-page.ts';

const NOT_OURS = /(?:^|\/)(?:node_modules|dist|coverage|\.venv)\//;

/** Every page of the repository, relative to it. */
export const PAGES = await allPages();

/** The pages whose commands readers are told to give. */
export const GUIDES = PAGES.filter((page) => page === 'README.md' || page.startsWith('docs/'));

async function allPages(): Promise<readonly string[]> {
  const pages: string[] = [];
  for await (const page of glob('**/*.md', { cwd: ROOT, exclude: (name) => NOT_OURS.test(`${name}/`) }))
    pages.push(page);
  return pages.toSorted();
}

export async function blocksOfPage(page: string): Promise<readonly Block[]> {
  return blocksOf(page, await readPage(page));
}

/** A page without its long blocks: those that install much, or send much traffic. */
export function withoutLong(blocks: readonly Block[]): readonly Block[] {
  let left = false;
  return blocks.filter(({ language, words }) => {
    // What is shown as output is that of the commands before it.
    if (language !== 'output') left = words.has('long');
    return !left;
  });
}

/** What of the programs that a page needs (`needs=redis-server`, or `needs=java:default-jre-headless` with Debian's package) is not to be had. */
export async function missingFor(blocks: readonly Block[]): Promise<readonly string[]> {
  const programs = new Set(blocks.flatMap(({ words }) => words.get('needs') ?? []));
  const found = await Promise.all(
    [...programs].map((needed) => {
      const [program = '', debianPackage = program] = needed.split(':');
      return findServer(program, debianPackage);
    }),
  );
  return found.flatMap((server) => (server.kind === 'missing' ? [server.reason] : []));
}
