/** Writes THIRD_PARTY_NOTICES: what the gateway runs on, with the licences, each text once. `--check` compares instead. */
import { readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundledPackages, runtimePackages } from './runtime-packages.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const FILE = join(ROOT, 'THIRD_PARTY_NOTICES');
const LICENCE_FILE = /^(licen[cs]e|copying|notice)(\.|-|$)/i;

const text = await renderNotices();
if (!process.argv.includes('--check')) await writeFile(FILE, text);
else if ((await readFile(FILE, 'utf8')) !== text) {
  process.stderr.write('THIRD_PARTY_NOTICES is not what the lockfile says; run `npm run notices`\n');
  process.exitCode = 1;
}

async function renderNotices(): Promise<string> {
  const packages = [...(await runtimePackages(ROOT, true)), ...(await bundledPackages(ROOT))];
  const texts = new Map<string, string[]>();
  for (const { name, version, path, isOptional } of packages) {
    // The text may not be installed here; the package that is has its own beside it, in the image too.
    if (isOptional) continue;
    const own = (await readdir(join(ROOT, path))).filter((file) => LICENCE_FILE.test(file)).toSorted();
    for (const file of own) {
      const content = (await readFile(join(ROOT, path, file), 'utf8')).replaceAll('\r\n', '\n').trim();
      texts.set(content, [...(texts.get(content) ?? []), `${name} ${version}`]);
    }
  }
  const list = packages.map(
    ({ name, version, license, isOptional }) =>
      `${name} ${version}: ${license}${isOptional ? ' (where the platform needs it)' : ''}`,
  );
  const sections = [...texts].map(([content, names]) => `${names.join(', ')}\n\n${content}`);
  return (
    'Signalbox runs on the packages below, each under its own licence. Their texts follow, where the package has one.\n\n' +
    `${[...new Set(list)].join('\n')}\n\n${'='.repeat(80)}\n\n${sections.join(`\n\n${'='.repeat(80)}\n\n`)}\n`
  );
}
