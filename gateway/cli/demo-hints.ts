import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { Bound } from '../server.ts';

/** The addresses, and three commands to try. */
export async function renderDemoHints({ http = '', metrics = '', admin = '' }: Bound): Promise<string> {
  const text = await readFile(new URL('../../demo/hints.txt', import.meta.url), 'utf8');
  const image = fileURLToPath(new URL('../../demo/images/0001.png', import.meta.url));
  return text
    .replaceAll('{http}', http)
    .replaceAll('{metrics}', metrics)
    .replaceAll('{admin}', admin)
    .replaceAll('{image}', image);
}
