import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { ModelConfigSchema } from '../backends/repository/model-config.ts';
import { ExperimentSchema } from '../experiments/experiment-schema.ts';
import { ConfigSchema } from '../gateway/config/schema.ts';
import { ERRORS } from '../gateway/errors.ts';
import { Metrics } from '../gateway/telemetry/metrics.ts';

const read = (file: string): Promise<string> => readFile(new URL(`../${file}`, import.meta.url), 'utf8');

/** The cells of a page's table rows, as text. */
function rows(markdown: string): readonly (readonly string[])[] {
  return markdown
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) =>
      line
        .slice(2, -2)
        .split(' | ')
        .map((cell) => cell.trim()),
    );
}

test('docs/errors.md is the catalogue of errors', async () => {
  const stated = rows(await read('docs/errors.md')).map(([code, status, meaning]) => [code, status, meaning]);
  expect(stated).toEqual(
    Object.entries(ERRORS).map(([code, { status, meaning }]) => [`\`${code}\``, String(status), meaning]),
  );
});

test('docs/metrics.md names every metric with its labels', async () => {
  const sources = {
    queues: () => [],
    instances: () => [],
    weights: () => [],
    weightsVersions: () => [],
    gpus: () => [],
    rolloutStates: () => [],
    recovered: () => [],
    versions: () => [],
  };
  const metrics = new Metrics(sources, sources);
  const exposed = [...(await metrics.render()).matchAll(/^# TYPE (\w+)/gm)].map(([, name]) => name);
  const stated = rows(await read('docs/metrics.md')).map(([name]) => name?.replaceAll('`', ''));
  expect(stated.toSorted()).toEqual(exposed.toSorted());
});

describe('every key of a file is explained', () => {
  test('signalbox.yaml, in docs/configuration.md', async () => {
    const stated = rows(await read('docs/configuration.md')).map(([key]) => key?.replaceAll('`', ''));
    expect(stated.toSorted()).toEqual(keysOf(ConfigSchema).toSorted());
  });

  test.each([
    [['docs/models.md'], ModelConfigSchema],
    [['docs/experiments.md', 'docs/rollouts.md'], ExperimentSchema],
  ])('%j', async (files, schema) => {
    const text = (await Promise.all(files.map(read))).join('\n');
    const unexplained = keysOf(schema)
      .map((key) => key.split('.').at(-1) ?? key)
      .filter((key) => !text.includes(key));
    expect(unexplained).toEqual([]);
  });
});

interface SchemaNode {
  readonly properties?: Readonly<Record<string, object>>;
  readonly patternProperties?: Readonly<Record<string, object>>;
  readonly items?: object;
  readonly unsupported?: string;
}

/** The paths of a schema's keys that hold no further keys, in lists and maps too; of what is not supported the outermost. */
function keysOf(schema: object, prefix = ''): readonly string[] {
  const node = schema as SchemaNode;
  const inner = node.items ?? Object.values(node.patternProperties ?? {})[0];
  if (inner !== undefined && node.unsupported === undefined) return keysOf(inner, prefix);
  const { properties } = node;
  if (properties === undefined || node.unsupported !== undefined) return [prefix];
  return Object.entries(properties).flatMap(([key, inner]) =>
    keysOf(inner, prefix === '' ? key : `${prefix}.${key}`),
  );
}
