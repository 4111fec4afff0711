import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import { Ajv2020 } from 'ajv/dist/2020.js';
import type { AnySchemaObject } from 'ajv/dist/2020.js';
import { expect, test } from 'vitest';
import { parseDocument } from 'yaml';
import { ModelConfigSchema } from '../../backends/repository/model-config.ts';
import { ROOT } from '../e2e/cli.ts';
import { GUIDES, blocksOfPage } from './pages.ts';

const schemaOf = async (name: string): Promise<AnySchemaObject> =>
  JSON.parse(await readFile(join(ROOT, `schemas/${name}.schema.json`), 'utf8')) as AnySchemaObject;

const EXPERIMENT = await schemaOf('experiment');

/** What a page may show a part of, by the block's word `in`. */
const WHOLES: Readonly<Record<string, AnySchemaObject>> = {
  config: await schemaOf('signalbox'),
  experiment: EXPERIMENT,
  rollout: (EXPERIMENT.properties as Record<string, AnySchemaObject>).rollout ?? {},
  model: JSON.parse(JSON.stringify(ModelConfigSchema)) as AnySchemaObject,
};

const OPTIONS = { strict: false, allErrors: true, logger: false } as const;

/** A part needs not all that the whole needs; all else holds. */
const CHECKS = new Map(
  Object.entries(WHOLES).map(([name, whole]) => {
    // TypeBox writes tuples as they were before the dialect of 2020, in which our schemas are published.
    const ajv = name === 'model' ? new Ajv(OPTIONS) : new Ajv2020(OPTIONS);
    return [name, ajv.compile({ ...whole, required: [] })];
  }),
);

const BLOCKS = (await Promise.all(GUIDES.map(blocksOfPage)))
  .flat()
  .filter(({ language }) => language === 'yaml');

test.each(BLOCKS.map((block) => [`${block.page}:${block.line}`, block] as const))(
  '%s is what it shows',
  (_, block) => {
    const whole = block.words.get('in');
    const isFile = block.words.has('file') || block.words.has('of');
    expect(whole !== undefined || isFile, 'needs in=, file= or of=').toBe(true);
    for (const part of alternatives(block.text)) {
      const document = parseDocument(part, { prettyErrors: true });
      expect(document.errors).toEqual([]);
      if (whole === undefined) continue;
      const check = CHECKS.get(whole);
      expect(check, `in=${whole}: expected one of ${[...CHECKS.keys()].join(', ')}`).toBeDefined();
      void check?.(document.toJS());
      expect(check?.errors ?? []).toEqual([]);
    }
  },
);

/** A block that has a key twice shows several ways to write it: each is looked at by itself. */
function alternatives(text: string): readonly string[] {
  const parts: string[][] = [[]];
  let keys = new Set<string>();
  for (const line of text.split('\n')) {
    const key = /^([\w-]+):/.exec(line)?.[1];
    if (key !== undefined && keys.has(key)) {
      parts.push([]);
      keys = new Set();
    }
    if (key !== undefined) keys.add(key);
    parts.at(-1)?.push(line);
  }
  return parts.map((lines) => lines.join('\n'));
}
