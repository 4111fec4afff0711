import { expect, test } from 'vitest';
import { parseYaml } from '../../documents/yaml-document.ts';
import { readExperiment } from '../../experiments/definition.ts';
import type { Experiment, KnownVersions } from '../../experiments/definition.ts';
import { ExperimentSchema } from '../../experiments/experiment-schema.ts';
import { refusals } from '../documents/refusals.ts';

const TEXT = `\
key: digits-cnn
model: digits
status: running
control: v1
variants:
  - { name: v1, version: 1, weight: 90 }
  - { name: v2, version: 2, weight: 10 }
`;

const MODELS: KnownVersions = (model) => (model === 'digits' ? [1, 2] : model === 'empty' ? [] : undefined);

const read = (text: string): Experiment => readExperiment(parseYaml(text, 'a.yaml'), MODELS);
const refusalsOf = (text: string) => refusals(() => read(text));

const V1 = { name: 'v1', version: 1, weight: 90 };
const V2 = { name: 'v2', version: 2, weight: 10 };

test('what a file leaves out has its default', () => {
  expect(read(TEXT)).toEqual({
    key: 'digits-cnn',
    model: 'digits',
    status: 'running',
    phase: 1,
    phaseName: undefined,
    startMs: undefined,
    stopMs: undefined,
    hashAttribute: { kind: 'header', name: 'x-user-id' },
    seed: 'digits-cnn',
    match: [],
    isRestricted: false,
    namespace: undefined,
    holdout: undefined,
    coverage: 1,
    forced: new Map(),
    isSticky: false,
    control: V1,
    variants: [V1, V2],
    onUnavailable: 'fallback',
    mirrors: [],
    metrics: [],
    guardrails: [],
    winner: V1,
    weightsVersion: 0,
  });
});

test('every key of a file is read', () => {
  const text = `\
key: digits-cnn-2
model: digits
status: completed
hashAttribute: x-account
seed: "2026: a seed"
hashVersion: 1
coverage: 0.25
control: v1
variants:
  - { name: v1, version: 1, weight: 90 }
  - { name: v2, version: 2, weight: 10 }
onUnavailable: error
winner: v2
`;
  expect(read(text)).toMatchObject({
    key: 'digits-cnn-2',
    model: 'digits',
    status: 'completed',
    hashAttribute: { kind: 'header', name: 'x-account' },
    seed: '2026: a seed',
    coverage: 0.25,
    control: V1,
    variants: [V1, V2],
    onUnavailable: 'error',
    winner: V2,
  });
});

test.each(['draft', 'running', 'paused', 'completed'])('an experiment may be %s', (status) => {
  expect(read(TEXT.replace('running', status)).status).toBe(status);
});

test('the header that names the unit is written in any case, and looked up in lower case', () => {
  expect(read(`${TEXT}hashAttribute: X-User-ID\n`).hashAttribute).toEqual({
    kind: 'header',
    name: 'x-user-id',
  });
});

test("the header that names the unit may have every character of HTTP's tokens", () => {
  const token = "x!#$%&'*+-.^_`|~9";
  expect(read(`${TEXT}hashAttribute: "${token}"\n`).hashAttribute).toEqual({
    kind: 'header',
    name: token,
  });
});

test('the variants stand in the order of their names, whatever the order of the file', () => {
  const lines = ['b', 'a', 'C', 'a.1', '0'].map((name) => `  - { name: "${name}", version: 1, weight: 1 }\n`);
  const text = `key: x\nmodel: digits\nstatus: running\ncontrol: a\nvariants:\n${lines.join('')}`;
  expect(read(text).variants.map(({ name }) => name)).toEqual(['0', 'C', 'a', 'a.1', 'b']);
});

test('weights are taken as they stand, never normalised', () => {
  const text = TEXT.replace('weight: 90', 'weight: 995').replace('weight: 10 ', 'weight: 0 ');
  expect(read(text).variants.map(({ weight }) => weight)).toEqual([995, 0]);
});

test('two variants may serve the same version', () => {
  expect(read(TEXT.replace('version: 2', 'version: 1')).variants.map(({ version }) => version)).toEqual([
    1, 1,
  ]);
});

test('an experiment that was read can not be changed', () => {
  const experiment = read(TEXT);
  expect(Object.isFrozen(experiment)).toBe(true);
  expect(Object.isFrozen(experiment.variants)).toBe(true);
});

const WEIGHT = 'expected a whole number from 0 to 1000000 (for 99.5 % to 0.5 % write 995 and 5)';
const VERSION = 'expected a version of the model, a whole number > 0';
const NAME = 'letters, digits, ".", "_" and "-", 63 characters at most';
const KNOWN = `known here: ${Object.keys(ExperimentSchema.properties).join(', ')}`;

test.each([
  ['a negative weight', 'weight: 10', 'weight: -1', `7:37: variants[1].weight: is -1; ${WEIGHT}`],
  ['a fractional weight', 'weight: 10', 'weight: 0.5', `7:37: variants[1].weight: is 0.5; ${WEIGHT}`],
  [
    'a weight over a million',
    'weight: 10',
    'weight: 1000001',
    `7:37: variants[1].weight: is 1000001; ${WEIGHT}`,
  ],
  ['a weight that is a text', 'weight: 10', 'weight: "10"', `7:37: variants[1].weight: is "10"; ${WEIGHT}`],
  [
    'a weight with a percent sign',
    'weight: 10',
    'weight: 10%',
    `7:37: variants[1].weight: is "10%"; ${WEIGHT}`,
  ],
  ['an empty weight', 'weight: 10', 'weight:', `7:29: variants[1].weight: is empty; ${WEIGHT}`],
  ['a variant without weight', ', weight: 10', '', `7:5: variants[1].weight: is missing; ${WEIGHT}`],
  ['version 0', 'version: 2', 'version: 0', `7:26: variants[1].version: is 0; ${VERSION}`],
  ['a version that is a text', 'version: 2', 'version: v2', `7:26: variants[1].version: is "v2"; ${VERSION}`],
  [
    'a version that the model has not',
    'version: 2',
    'version: 7',
    '7:26: variants[1].version: is 7, but model "digits" has no such version; the repository has 1, 2',
  ],
  [
    'a model that the repository has not',
    'model: digits',
    'model: letters',
    '2:8: model: is "letters", but the model repository has no model of that name',
  ],
  [
    'a variant name with a space',
    'name: v2',
    'name: v 2',
    `7:13: variants[1].name: is "v 2"; expected a variant's name: ${NAME}`,
  ],
  [
    'a variant name that would break the header of an answer',
    'name: v2',
    'name: "v2\\r\\nx: y"',
    `7:13: variants[1].name: is "v2\\r\\nx: y"; expected a variant's name: ${NAME}`,
  ],
  ['a name that is there twice', 'name: v2', 'name: v1', '7:13: variants[1].name: "v1" is there twice'],
  [
    'a variant with an unknown key',
    'weight: 10 }',
    'weight: 10, wieght: 1 }',
    '7:49: variants[1].wieght: is an unknown key; known here: name, version, upstream, weight',
  ],
  [
    'an unknown control',
    'control: v1',
    'control: v3',
    '4:10: control: is "v3"; expected one of the variants v1, v2',
  ],
  [
    'a control that is no name',
    'control: v1',
    'control: 1',
    `4:10: control: is 1; expected the control variant's name: ${NAME}`,
  ],
  [
    'an unknown winner',
    'status: running',
    'status: completed\nwinner: v3',
    '4:9: winner: is "v3"; expected one of the variants v1, v2',
  ],
  [
    'a winner of what still runs',
    'status: running',
    'status: running\nwinner: v2',
    '4:9: winner: goes with status completed only, and the status is running',
  ],
  [
    'a key in capitals',
    'key: digits-cnn',
    'key: Digits',
    '1:6: key: is "Digits"; expected a name of small letters, digits and "-", 63 characters at most',
  ],
  [
    'a key of 64 characters',
    'key: digits-cnn',
    `key: ${'a'.repeat(64)}`,
    `1:6: key: is "${'a'.repeat(60)}…"; expected a name of small letters, digits and "-", 63 characters at most`,
  ],
  [
    'an unknown status',
    'status: running',
    'status: started',
    '3:9: status: is "started"; expected one of draft, running, paused, completed',
  ],
  ['an unknown key', 'key: ', 'hashAtribute: x\nkey: ', `1:15: hashAtribute: is an unknown key; ${KNOWN}`],
  [
    'a header name with a space',
    'control: v1',
    'hashAttribute: x user\ncontrol: v1',
    '4:16: hashAttribute: is "x user"; expected the name of the request header that names the unit, as x-user-id; ' +
      'or a map with one of header, cookie, json, apiKey: true and none: true',
  ],
  [
    'a hash version that there is not',
    'control: v1',
    'hashVersion: 2\ncontrol: v1',
    '4:14: hashVersion: is 2; expected 1, the only hash version there is',
  ],
  [
    'a coverage over 1',
    'control: v1',
    'coverage: 1.01\ncontrol: v1',
    '4:11: coverage: is 1.01; expected a share of the units, from 0 to 1',
  ],
  [
    'a coverage below 0',
    'control: v1',
    'coverage: -0.1\ncontrol: v1',
    '4:11: coverage: is -0.1; expected a share of the units, from 0 to 1',
  ],
  [
    'an empty seed',
    'control: v1',
    'seed: ""\ncontrol: v1',
    '4:7: seed: is ""; expected a text of 1 to 200 characters',
  ],
  [
    'an unknown answer to unavailability',
    'control: v1',
    'onUnavailable: retry\ncontrol: v1',
    '4:16: onUnavailable: is "retry"; expected one of fallback, error',
  ],
])('%s is refused at its line and column', async (_, from, to, expected) => {
  expect(await refusalsOf(TEXT.replace(from, to))).toEqual([`a.yaml:${expected}`]);
});

test('weights that are all 0 are refused', async () => {
  expect(await refusalsOf(TEXT.replaceAll(/weight: \d+/g, 'weight: 0'))).toEqual([
    'a.yaml:5:1: variants: have only weights of 0; at least one has to be above 0',
  ]);
});

test('an experiment without variants is refused', async () => {
  const [head = ''] = TEXT.split('variants:');
  expect(await refusalsOf(`${head}variants: []\n`)).toEqual([
    'a.yaml:5:1: variants: is a list of 0; expected a list of at least one variant',
  ]);
});

test('a model without versions is refused where the variants name them', async () => {
  expect(await refusalsOf(TEXT.replace('model: digits', 'model: empty'))).toEqual([
    'a.yaml:6:26: variants[0].version: is 1, but model "empty" has no such version; the repository has none',
    'a.yaml:7:26: variants[1].version: is 2, but model "empty" has no such version; the repository has none',
  ]);
});

test('the versions of a draft may be yet to come, its model may not', async () => {
  const draft = TEXT.replace('status: running', 'status: draft');
  expect(read(draft.replace('version: 2', 'version: 7')).status).toBe('draft');
  expect(await refusalsOf(draft.replace('model: digits', 'model: nowhere'))).toHaveLength(1);
});

test('an empty file is told all the keys that are wanted', async () => {
  expect(await refusalsOf('')).toEqual([
    'a.yaml:1:1: is empty; expected a map with key, model, status, control and variants',
  ]);
  expect((await refusalsOf('{}')).map((line) => line.split(': ')[1])).toEqual([
    'key',
    'model',
    'status',
    'control',
    'variants',
  ]);
});

test('all that is wrong with the shape of a file is told at once', async () => {
  const text = TEXT.replace('running', 'started').replace('90', '9.5').replace('version: 2', 'versoin: 2');
  expect((await refusalsOf(text)).map((line) => line.split(': ').slice(0, 2).join(' '))).toEqual([
    'a.yaml:3:9 status',
    'a.yaml:6:37 variants[0].weight',
    'a.yaml:7:26 variants[1].versoin',
  ]);
});

test('all that is wrong with what a file means is told at once', async () => {
  const text = TEXT.replace('control: v1', 'control: v9\nwinner: v8')
    .replace('version: 1', 'version: 5')
    .replace('name: v2', 'name: v1')
    .replaceAll(/weight: \d+/g, 'weight: 0');
  expect((await refusalsOf(text)).map((line) => line.split(': ').slice(0, 2).join(' ')).sort()).toEqual([
    'a.yaml:4:10 control',
    'a.yaml:5:9 winner',
    'a.yaml:5:9 winner',
    'a.yaml:6:1 variants',
    'a.yaml:7:26 variants[0].version',
    'a.yaml:8:13 variants[1].name',
  ]);
});

test.each(['__proto__', 'constructor'])('a key named %s is refused and does no harm', async (key) => {
  expect(await refusalsOf(`${TEXT}${key}: { coverage: 0 }\n`)).toEqual([
    `a.yaml:8:1: ${key}: is an unknown key; ${KNOWN}`,
  ]);
});

test('a key that stands twice is refused, so that none of the two wins in silence', async () => {
  expect(await refusalsOf(`${TEXT}coverage: 1\ncoverage: 0\n`)).toEqual([
    'a.yaml:9:1: the key coverage is there twice; leave one of them out',
  ]);
});
