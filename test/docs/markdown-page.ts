import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ROOT } from '../e2e/cli.ts';

/**
 * A fenced block of a page. Its info string is a language and words: `sh background`, `yaml file=signalbox.yaml`,
 * `sh no-run="needs a cluster"`. A fence inside an HTML comment is a block too: readers don't see it.
 */
export interface Block {
  /** Relative to the repository. */
  readonly page: string;
  /** Of the opening fence, from 1. */
  readonly line: number;
  /** Empty where the fence names none. */
  readonly language: string;
  /** Words of the info string; one without a value is ''. */
  readonly words: ReadonlyMap<string, string>;
  readonly text: string;
}

/** @param page its path, relative to the repository */
export async function readPage(page: string): Promise<string> {
  return readFile(join(ROOT, page), 'utf8');
}

/** @throws Error where a fence is never closed, or is none to Markdown, as its info has a backtick */
export function blocksOf(page: string, markdown: string): readonly Block[] {
  const blocks: Block[] = [];
  let open: { readonly fence: string; readonly info: string; readonly line: number } | undefined;
  let text: string[] = [];
  for (const [index, line] of markdown.split('\n').entries()) {
    const [, fence = '', info = ''] = /^ {0,3}(`{3,})(.*)$/.exec(line) ?? [];
    if (open === undefined) {
      if (fence === '') continue;
      if (info.includes('`'))
        throw new Error(`${page}:${index + 1}: a fence with a backtick behind it is none`);
      open = { fence, info: info.trim(), line: index + 1 };
      text = [];
    } else if (fence.length >= open.fence.length && info.trim() === '') {
      const [language = ''] = /^\S*/.exec(open.info) ?? [];
      const words = wordsOf(open.info.slice(language.length));
      blocks.push({ page, line: open.line, language, words, text: text.join('\n') });
      open = undefined;
    } else text.push(line);
  }
  if (open !== undefined) throw new Error(`${page}:${open.line}: this fence is never closed`);
  return blocks;
}

/** The page without its blocks, code spans and comments, line by line as it was: what links and headings are read from. */
export function proseOf(markdown: string): readonly string[] {
  let fence = '';
  const lines = markdown.split('\n').map((line) => {
    const [, mark = ''] = /^ {0,3}(`{3,})/.exec(line) ?? [];
    if (fence === '' && mark !== '') {
      fence = mark;
      return '';
    }
    if (fence === '') return line;
    if (mark.length >= fence.length) fence = '';
    return '';
  });
  const blank = (text: string): string => text.replaceAll(/[^\n]/g, ' ');
  return lines
    .join('\n')
    .replaceAll(/<!--[\s\S]*?-->/g, blank)
    .split('\n');
}

function wordsOf(info: string): ReadonlyMap<string, string> {
  return new Map(
    [...info.matchAll(/([\w-]+)(?:=(?:"([^"]*)"|(\S+)))?/g)].map(([, word = '', quoted, bare]) => [
      word,
      quoted ?? bare ?? '',
    ]),
  );
}
