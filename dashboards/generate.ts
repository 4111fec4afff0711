/** Writes the dashboards into `grafana/` beside this file: `npm run dashboards`. A test holds them equal to the source. */
import { writeFile } from 'node:fs/promises';
import { publishedDashboards } from './published.ts';

for (const { file, text } of publishedDashboards()) {
  await writeFile(new URL(`grafana/${file}`, import.meta.url), text);
}
