import { readFile, readdir } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { publishedDashboards } from '../../dashboards/published.ts';

const GRAFANA = new URL('../../dashboards/grafana/', import.meta.url);

test.each(publishedDashboards())(
  'dashboards/grafana/$file is what the source says; `npm run dashboards` writes it',
  async ({ file, text }) => {
    expect(await readFile(new URL(file, GRAFANA), 'utf8')).toBe(text);
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
