/** Writes what is published of the source, beside this file and in `docs/openapi/`: `npm run schemas`. A test holds it equal to the source. */
import { writeFile } from 'node:fs/promises';
import { publishedSchemas } from './json-schemas.ts';
import { publishedDocuments } from './openapi/published.ts';

const OPENAPI = new URL('../docs/openapi/', import.meta.url);

for (const { file, text } of publishedSchemas()) await writeFile(new URL(file, import.meta.url), text);
for (const { file, text } of await publishedDocuments()) await writeFile(new URL(file, OPENAPI), text);
