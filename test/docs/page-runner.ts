import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Block } from './markdown-page.ts';
import { isShown } from './shown-output.ts';
import { Terminal } from './terminal.ts';
import { openWorkspace } from './workspace.ts';
import type { WorkspaceOptions } from './workspace.ts';

/** What a block of a page is to whoever tries it. */
export type Deed =
  | { readonly kind: 'write'; readonly file: string }
  | { readonly kind: 'run'; readonly exitCode: number }
  | { readonly kind: 'serve'; readonly readyText: string }
  | { readonly kind: 'compare'; readonly numbersVary: boolean }
  | { readonly kind: 'leave'; readonly reason: string }
  /** Something to read: a drawing, a part of a file, a listing. */
  | { readonly kind: 'read' };

const COMMANDS = new Set(['sh', 'bash', 'shell', 'console', 'zsh']);

/** @throws Error where the block's words don't say what to do with it */
export function deedOf({ page, line, language, words }: Block): Deed {
  const known = new Set(['file', 'no-run', 'background', 'exits', 'varies', 'in', 'of', 'long', 'needs']);
  for (const word of words.keys())
    if (!known.has(word)) throw new Error(`${page}:${line}: unknown word "${word}"`);
  const file = words.get('file');
  if (file !== undefined) return { kind: 'write', file };
  if (language === 'output') return { kind: 'compare', numbersVary: words.has('varies') };
  if (!COMMANDS.has(language) && language !== 'python') return { kind: 'read' };
  const reason = words.get('no-run');
  if (reason === '') throw new Error(`${page}:${line}: no-run needs its reason, as no-run="needs a cluster"`);
  if (reason !== undefined) return { kind: 'leave', reason };
  if (language === 'python') throw new Error(`${page}:${line}: name the file that it is, as file=export.py`);
  const readyText = words.get('background');
  if (readyText !== undefined)
    return { kind: 'serve', readyText: readyText === '' ? 'ready http=' : readyText };
  return { kind: 'run', exitCode: Number(words.get('exits') ?? 0) };
}

export interface PageOptions extends WorkspaceOptions {
  /** For each block. */
  readonly timeoutMs: number;
}

/**
 * Does what a page tells its readers to do, from its top to its end, in one terminal and one clone.
 *
 * @throws Error that names the block that did not come out as the page says
 */
export async function tryPage(blocks: readonly Block[], options: PageOptions): Promise<void> {
  await using workspace = await openWorkspace(options);
  await using terminal = new Terminal(workspace.folder, workspace.notes, workspace.env);
  let printed = '';
  for (const block of blocks) {
    const deed = deedOf(block);
    const text = await workspace.mapPorts(block.text);
    const at = `${block.page}:${block.line}`;
    switch (deed.kind) {
      case 'write': {
        const path = join(workspace.folder, deed.file);
        await mkdir(dirname(path), { recursive: true });
        await writeFile(path, `${text}\n`);
        break;
      }
      case 'run': {
        const ended = await terminal.run(text, options.timeoutMs).catch((cause: unknown) => {
          throw new Error(`${at}: ${String(cause)}`, { cause });
        });
        printed = ended.printed;
        if (ended.exitCode !== deed.exitCode) {
          throw new Error(
            `${at}: \`${ended.failed}\` ended with ${ended.exitCode}, not ${deed.exitCode}; the block printed:\n${printed}`,
          );
        }
        break;
      }
      case 'serve':
        await terminal.start(text, deed.readyText, options.timeoutMs).catch((cause: unknown) => {
          throw new Error(`${at}: ${String(cause)}`, { cause });
        });
        break;
      case 'compare':
        if (!isShown(text, printed, deed.numbersVary)) {
          throw new Error(`${at}: this is shown:\n${text}\n\nand this was printed:\n${printed}`);
        }
        break;
      case 'leave':
      case 'read':
        break;
    }
  }
}
