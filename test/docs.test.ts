import { readFile, readdir } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { ModelConfigSchema } from '../backends/repository/model-config.ts';
import { ExperimentSchema } from '../experiments/experiment-schema.ts';
import { ConfigSchema } from '../gateway/config/schema.ts';
import { ERRORS } from '../gateway/errors.ts';
import { NO_GAUGES } from '../gateway/telemetry/measures/gauges.ts';
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
  const metrics = new Metrics(NO_GAUGES, { ...NO_GAUGES, versions: () => [] });
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

describe('docs/security.md', () => {
  const OWASP = [
    'API1:2023 Broken Object Level Authorization',
    'API2:2023 Broken Authentication',
    'API3:2023 Broken Object Property Level Authorization',
    'API4:2023 Unrestricted Resource Consumption',
    'API5:2023 Broken Function Level Authorization',
    'API6:2023 Unrestricted Access to Sensitive Business Flows',
    'API7:2023 Server Side Request Forgery',
    'API8:2023 Security Misconfiguration',
    'API9:2023 Improper Inventory Management',
    'API10:2023 Unsafe Consumption of APIs',
  ];

  test('has every item of the list with what answers it, and a test of that name', async () => {
    const text = await read('docs/security.md');
    const cells = text
      .split('\n')
      .filter((line) => line.startsWith('| API'))
      .map((line) => line.split('|').map((cell) => cell.trim()));
    expect(cells.map(([, item]) => item)).toEqual(OWASP);
    const proofs = await read('test/security/owasp.test.ts');
    for (const [, item = '', answer = '', shown = ''] of cells) {
      expect(answer.length).toBeGreaterThan(20);
      expect(shown).toMatch(/`test\/.+\.test\.ts`/);
      expect(proofs).toContain(`describe('${item}'`);
    }
  });

  test('names tests that are there, and all of test/security', async () => {
    const text = await read('docs/security.md');
    const named = [...new Set([...text.matchAll(/`(test\/[^`]+\.test\.ts)`/g)].map(([, file = '']) => file))];
    for (const file of named) expect(await read(file)).toContain('test');
    const files = await readdir(new URL('../test/security/', import.meta.url));
    const own = files.filter((file) => file.endsWith('.test.ts')).map((file) => `test/security/${file}`);
    expect(own.filter((file) => !named.includes(file))).toEqual([]);
  });
});
