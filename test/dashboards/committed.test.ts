import { readFile, readdir } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { publishedDashboards } from '../../dashboards/published.ts';
import { publishedRules } from '../../dashboards/published-rules.ts';

const ROOT = new URL('../../', import.meta.url);
const GRAFANA = new URL('dashboards/grafana/', ROOT);
const RULES = await readFile(new URL('dashboards/prometheus/rules.yaml', ROOT), 'utf8');

test.each(publishedDashboards())(
  'dashboards/grafana/$file is what the source says; `npm run dashboards` writes it',
  async ({ file, text }) => {
    expect(await readFile(new URL(file, GRAFANA), 'utf8')).toBe(text);
  },
);

test.each(publishedRules(RULES))(
  '$file has every rule of Prometheus; `npm run dashboards` writes it',
  async ({ file, text }) => {
    expect(await readFile(new URL(file, ROOT), 'utf8')).toBe(text);
    expect(text.match(/- alert: /g)).toHaveLength(RULES.match(/- alert: /g)?.length ?? NaN);
  },
);

test('no dashboard lies there that the source does not make', async () => {
  const files = (await readdir(GRAFANA)).filter((file) => file.endsWith('.json'));
  expect(files.toSorted()).toEqual(
    publishedDashboards()
      .map(({ file }) => file)
      .toSorted(),
  );
});
