import { readFile, readdir } from 'node:fs/promises';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { publishedSchemas } from '../schemas/json-schemas.ts';

const read = (file: string): Promise<string> => readFile(new URL(`../${file}`, import.meta.url), 'utf8');

test.each(publishedSchemas())(
  'schemas/$file is what the source says; `npm run schemas` writes it',
  async ({ file, text }) => {
    expect(await read(`schemas/${file}`)).toBe(text);
  },
);

/** What the published schema finds wrong with a YAML text, as `/variants/0/weight type`. */
function check(file: string): (text: string) => readonly string[] {
  const { text: schema } =
    publishedSchemas().find((published) => published.file === file) ?? expect.fail(file);
  const validate = new Ajv2020({ allErrors: true }).compile(JSON.parse(schema) as object);
  return (text) => {
    validate(parse(text));
    return (validate.errors ?? []).map(({ instancePath, keyword }) => `${instancePath} ${keyword}`);
  };
}

const BASE = `
key: digits-cnn
model: digits
status: running
control: v1
variants: [{ name: v1, version: 1, weight: 1 }, { name: v2, version: 2, weight: 1 }]
`;

describe('an editor that has the schema of an experiment', () => {
  const problemsOf = check('experiment.schema.json');

  test('accepts the demo', async () => {
    for (const file of await readdir(new URL('../demo/experiments', import.meta.url))) {
      expect(problemsOf(await read(`demo/experiments/${file}`))).toEqual([]);
    }
  });

  test.each([
    ['weight: 1 }, {', 'weight: -1 }, {', '/variants/0/weight minimum'],
    ['status: running', 'status: started', '/status enum'],
    ['control: v1', 'contrl: v1', ' additionalProperties'],
    ['control: v1', 'control: v1\nmatch: [{ headers: { a: { exat: b } } }]', '/match/0/headers/a anyOf'],
  ])('marks %s written as %s', (from, to, expected) => {
    expect(problemsOf(BASE)).toEqual([]);
    expect(problemsOf(BASE.replace(from, to))).toContain(expected);
  });
});

test('an editor that has the schema of signalbox.yaml accepts the demo and ${NAME}, and marks mistakes', async () => {
  const problemsOf = check('signalbox.schema.json');
  expect(problemsOf(await read('demo/signalbox.yaml'))).toEqual([]);
  const config =
    'listen: { http: "${HOST:-127.0.0.1}:8000" }\nmodels: { repository: m, control: "${CONTROL}" }';
  expect(problemsOf(config)).toEqual([]);
  expect(problemsOf(config.replace('${CONTROL}', 'sometimes'))).toContain('/models/control anyOf');
  expect(problemsOf(`${config}\nholdout: 2`)).toContain('/holdout anyOf');
});
