import { expect, test } from 'vitest';
import { blocksOf } from './markdown-page.ts';
import { tryPage } from './page-runner.ts';
import { isShown } from './shown-output.ts';

const attempt = async (markdown: string): Promise<void> =>
  tryPage(blocksOf('page.md', markdown), { clone: false, npx: false, timeoutMs: 100_000 });

test('blocks of a page share a folder and variables, and what is shown is compared', async () => {
  await attempt(
    [
      '```yaml file=folder/some.yaml',
      'key: value',
      '```',
      '<!-- not shown',
      '```sh',
      'NAME=ada && cd folder',
      '```',
      '-->',
      '```sh',
      'cat some.yaml',
      'echo "hello, $NAME: 123 ms"',
      '```',
      '```output varies',
      'key: value',
      'hello, ada: 7 ms',
      '```',
    ].join('\n'),
  );
});

test('the first command that fails is named, and those after it are run as in a terminal', async () => {
  await expect(attempt('```sh\nls /nowhere\necho "and on"\n```')).rejects.toThrow(
    /^page\.md:1: `ls \/nowhere` ended with 2, not 0; the block printed:\n[^]*and on/,
  );
  await attempt('```sh exits=2\nls /nowhere\n```');
});

test('an output that is not what the page shows is refused', async () => {
  await expect(attempt('```sh\necho two\n```\n```output\nthree\n```')).rejects.toThrow(
    'page.md:4: this is shown:\nthree\n\nand this was printed:\ntwo',
  );
});

test('a server goes on beside what follows, and is gone when the page ends', async () => {
  const python = `import http.server; print('up', flush=True); http.server.test(port=8000, bind='127.0.0.1', HandlerClass=http.server.SimpleHTTPRequestHandler)`;
  // Its port is any: the page says 127.0.0.1:8000, and another one stands for it.
  await attempt(
    [
      '```sh background="up"',
      `python3 -c "${python.replace('port=8000', "port=int('127.0.0.1:8000'.split(':')[1])")}"`,
      '```',
      '```sh',
      'curl -s http://127.0.0.1:8000/ >/dev/null',
      '```',
      '```sh exits=22',
      'curl -s http://127.0.0.1:8000/missing',
      '```',
      '```sh',
      'kill %1; wait',
      '```',
    ].join('\n'),
  );
  await expect(attempt('```sh background="up"\necho down\n```')).rejects.toThrow(
    /no "up": it ended before; it printed:\ndown/,
  );
});

test('a block says what to do with it, or the page is refused', async () => {
  await expect(attempt('```sh no-run\nrm -rf /\n```')).rejects.toThrow('page.md:1: no-run needs its reason');
  await expect(attempt('```sh norun="typo"\nls\n```')).rejects.toThrow('page.md:1: unknown word "norun"');
  await expect(attempt('```python\nprint()\n```')).rejects.toThrow('name the file that it is');
  await expect(attempt('```sh\nls\n')).rejects.toThrow('page.md:1: this fence is never closed');
  await expect(async () => attempt('```sh no-run="as `npm` would"\nls\n```')).rejects.toThrow(
    'page.md:1: a fence with a backtick behind it is none',
  );
});

test('shown and printed are compared by words', () => {
  expect(isShown('a  b\n c', 'a b c\n', false)).toBe(true);
  expect(isShown('id: …, end', 'id: x y\nz, end', false)).toBe(true);
  expect(isShown('12 ms', '13 ms', false)).toBe(false);
  expect(isShown('+1.6 % 1.0e-16 ├──●─┤', '-2 % 0.5 ├●───┤', true)).toBe(true);
  expect(isShown('12 ms', 'x ms', true)).toBe(false);
  expect(isShown('12 ms', '12 ms and more', true)).toBe(false);
});
