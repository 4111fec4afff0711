import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ROOT } from './e2e/cli.ts';
import { LONG_FILES } from './long-files.ts';

test.each(LONG_FILES)('%s, which begins early, is there', async (file) => {
  await access(join(ROOT, file));
});

test('each is named once', () => {
  expect(new Set(LONG_FILES).size).toBe(LONG_FILES.length);
});
