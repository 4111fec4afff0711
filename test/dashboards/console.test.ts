import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { build } from 'vite';
import { afterEach, expect, test, vi } from 'vitest';
import { consoleBuild } from '../../dashboards/console/build-options.ts';
import { BUNDLED_PACKAGES } from '../../dashboards/console/bundled-packages.ts';
import { ROOT } from '../e2e/cli.ts';
import { temporaryFolder } from '../models/temporary-folder.ts';

afterEach(() => {
  vi.unstubAllEnvs();
});

const BUNDLE = join(ROOT, 'dashboards/console/bundle');

async function filesOf(folder: string): Promise<Record<string, string>> {
  const names = (await readdir(folder)).toSorted();
  return Object.fromEntries(
    await Promise.all(
      names.map(async (name) => [name, (await readFile(join(folder, name))).toString('base64')] as const),
    ),
  );
}

test('dashboards/console/bundle is what the source says; `npm run console` writes it', async () => {
  await using folder = await temporaryFolder();
  // Without it the build would be one for tests, with other code in it.
  vi.stubEnv('NODE_ENV', 'production');
  const packages = new Set<string>();
  await build({
    ...consoleBuild(folder.path),
    plugins: [
      {
        name: 'what-is-bundled',
        moduleParsed({ id }) {
          const name = /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(id)?.[1];
          if (name !== undefined) packages.add(name);
        },
      },
    ],
  });
  const [built, committed] = await Promise.all([filesOf(folder.path), filesOf(BUNDLE)]);
  expect(Object.keys(committed)).toEqual(Object.keys(built));
  // The texts themselves would fill a screen.
  const differing = Object.keys(built).filter((name) => built[name] !== committed[name]);
  expect(differing).toEqual([]);
  // The font is named by a style, and so is no module of its own.
  expect([...packages, '@fontsource-variable/inter'].toSorted()).toEqual([...BUNDLED_PACKAGES]);
});

test('the notices have the licence of each package that is in the bundle', async () => {
  const notices = await readFile(join(ROOT, 'THIRD_PARTY_NOTICES'), 'utf8');
  const unnamed = BUNDLED_PACKAGES.filter((name) => !notices.includes(`\n${name} `));
  expect(unnamed).toEqual([]);
});
