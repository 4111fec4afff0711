/**
 * Writes the dashboards into `grafana/` beside this file, and the rules of `prometheus/` as Kubernetes takes them into `deploy/`:
 * `npm run dashboards`. A test holds them equal to the source.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { publishedDashboards } from './published.ts';
import { publishedRules } from './published-rules.ts';

for (const { file, text } of publishedDashboards()) {
  await writeFile(new URL(`grafana/${file}`, import.meta.url), text);
}
for (const { file, text } of publishedRules(
  await readFile(new URL('prometheus/rules.yaml', import.meta.url), 'utf8'),
)) {
  const place = new URL(`../${file}`, import.meta.url);
  await mkdir(new URL('.', place), { recursive: true });
  await writeFile(place, text);
}
