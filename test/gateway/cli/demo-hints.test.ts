import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { quoted } from '../../../gateway/cli/demo-hints.ts';

test.each([
  ['/srv/signalbox/demo/0001.png', '/srv/signalbox/demo/0001.png'],
  ['/srv/modèle/0001.png', '/srv/modèle/0001.png'],
  ['/srv/my models/0001.png', '"/srv/my models/0001.png"'],
  [`/srv/it's; a, "$HOME"/0001.png`, String.raw`"/srv/it's; a, \"$HOME\"/0001.png"`],
])('the path %s comes through a shell as curl reads it', (path, curls) => {
  expect(execFileSync('sh', ['-c', `printf %s ${quoted(path)}`], { encoding: 'utf8' })).toBe(curls);
});
