/** Writes the published schemas beside this file: `npm run schemas`. A test holds them equal to the source. */
import { writeFile } from 'node:fs/promises';
import { publishedSchemas } from './json-schemas.ts';

for (const { file, text } of publishedSchemas()) await writeFile(new URL(file, import.meta.url), text);
