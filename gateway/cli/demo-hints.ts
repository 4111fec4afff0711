import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { Bound } from '../server.ts';

/** The addresses, and three commands to try. */
export async function renderDemoHints({ http = '', metrics = '', admin = '' }: Bound): Promise<string> {
  const text = await readFile(new URL('../../demo/hints.txt', import.meta.url), 'utf8');
  const image = fileURLToPath(new URL('../../demo/images/0001.png', import.meta.url));
  return (
    text
      .replaceAll('{http}', http)
      .replaceAll('{metrics}', metrics)
      .replaceAll('{admin}', admin)
      // As a function: a path may have a `$` in it.
      .replaceAll('{image}', () => quoted(image))
  );
}

/** A path as it can be pasted behind `curl -F file=@`: the shell takes off the outer quotes, and curl the inner ones. */
export function quoted(path: string): string {
  if (/^[\p{L}\p{N}_./+-]+$/u.test(path)) return path;
  const forCurl = `"${path.replaceAll(/[\\"]/g, String.raw`\$&`)}"`;
  return `'${forCurl.replaceAll("'", String.raw`'\''`)}'`;
}
