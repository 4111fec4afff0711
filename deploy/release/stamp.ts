/** Writes the version of package.json into the files that name the release: `npm version` runs it. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import packageJson from '../../package.json' with { type: 'json' };
import { stampedFiles } from './stamped-files.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

for (const { file, text } of await stampedFiles(ROOT, packageJson.version))
  await writeFile(join(ROOT, file), text);
