import { stat } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { ROOT } from '../e2e/cli.ts';
import { proseOf, readPage } from './markdown-page.ts';

/** A link or a picture of a page. */
interface Link {
  readonly line: number;
  readonly target: string;
}

/** What is wrong with a page's links, one sentence each; nothing is asked of the network. */
export async function brokenLinks(page: string): Promise<readonly string[]> {
  const problems: string[] = [];
  for (const { line, target } of linksOf(await readPage(page))) {
    const problem = await problemOf(page, target);
    if (problem !== undefined) problems.push(`${page}:${line}: ${target}: ${problem}`);
  }
  return problems;
}

/** The pages of the repository that a page links to, relative to it. */
export async function linkedPages(page: string): Promise<readonly string[]> {
  return linksOf(await readPage(page))
    .map(({ target }) => target.split('#')[0] ?? '')
    .filter((path) => path.endsWith('.md') && !path.includes(':'))
    .map((path) => relative('.', join(dirname(page), path)));
}

export function linksOf(markdown: string): readonly Link[] {
  return proseOf(markdown).flatMap((text, index) => {
    const line = index + 1;
    const withoutCode = text.replaceAll(/`[^`]*`/g, (code) => '`'.repeat(code.length));
    const inline = [...withoutCode.matchAll(/\]\(\s*<?([^)\s>]*)>?(?:\s+"[^"]*")?\s*\)/g)];
    const references = [...withoutCode.matchAll(/^ {0,3}\[[^\]]+\]:\s*<?([^\s>]+)>?/g)];
    const automatic = [...withoutCode.matchAll(/<([a-z][a-z0-9+.-]*:[^\s>]+)>/gi)];
    return [...inline, ...references, ...automatic].map(([, target = '']) => ({ line, target }));
  });
}

/** The anchors that GitHub gives to a page's headings. */
export function anchorsOf(markdown: string): ReadonlySet<string> {
  const anchors = new Set<string>();
  for (const line of proseOf(markdown)) {
    const heading = /^ {0,3}#{1,6}\s+(.*?)\s*#*$/.exec(line)?.[1];
    if (heading === undefined) continue;
    const shown = heading.replaceAll(/!?\[([^\]]*)\]\([^)]*\)/g, '$1');
    const base = shown
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{M}\p{N}\p{Pc}\- ]/gu, '')
      .replaceAll(' ', '-');
    let anchor = base;
    for (let count = 1; anchors.has(anchor); count++) anchor = `${base}-${count}`;
    anchors.add(anchor);
  }
  return anchors;
}

async function problemOf(page: string, target: string): Promise<string | undefined> {
  if (target === '') return 'the link names nothing';
  if (/^[a-z][a-z0-9+.-]*:/i.test(target)) return problemOfUrl(target);
  const [path = '', anchor] = target.split('#');
  if (path.startsWith('/')) return 'the path has to be relative to the page';
  const file = path === '' ? page : join(dirname(page), decodeURIComponent(path));
  if (file.startsWith('..')) return 'that is outside the repository';
  const found = await stat(join(ROOT, file)).catch(() => undefined);
  if (found === undefined) return 'there is no such file';
  if (anchor === undefined) return undefined;
  if (!file.endsWith('.md')) return 'only a page has headings to link to';
  return anchorsOf(await readPage(file)).has(anchor) ? undefined : `${file} has no such heading`;
}

function problemOfUrl(target: string): string | undefined {
  if (!URL.canParse(target)) return 'that is no URL';
  const { protocol, hostname } = new URL(target);
  if (protocol === 'mailto:') return undefined;
  if (protocol !== 'https:') return 'expected https';
  return hostname.includes('.') ? undefined : 'that host is none that readers reach';
}
