import { expect, test } from 'vitest';
import { readOverride } from '../../experiments/override.ts';
import { sampleExperiment } from './sample-experiment.ts';

const DIGITS = sampleExperiment();
const LETTERS = sampleExperiment({
  key: 'letters-cnn',
  model: 'letters',
  control: 'old',
  variants: [
    { name: 'old', version: 1, weight: 1 },
    { name: 'new', version: 2, weight: 1 },
  ],
});
const ALL = new Map([DIGITS, LETTERS].map((experiment) => [experiment.key, experiment]));

const read = (header: string) => readOverride(header, 'digits', [DIGITS], ALL, () => true);

const NONE = { kind: 'none' };
const V1 = { kind: 'forced', experiment: DIGITS, variant: { name: 'v1', version: 1, weight: 90 } };
const V2 = { kind: 'forced', experiment: DIGITS, variant: { name: 'v2', version: 2, weight: 10 } };

test.each([
  ['a variant', 'v2', V2],
  ['an experiment and its variant', 'digits-cnn=v2', V2],
  ['spaces around the names', '  digits-cnn =\tv2 ', V2],
  ['other experiments before it', 'letters-cnn=new; digits-cnn=v2', V2],
  ['other experiments after it', 'digits-cnn=v1;letters-cnn=new', V1],
  ['empty parts', ';; v2 ;', V2],
  ['the same variant twice', 'v2; digits-cnn=v2', V2],
  ['other experiments only', 'letters-cnn=new', NONE],
  ['nothing', '', NONE],
  ['separators only', ' ; ;', NONE],
])('a header with %s is read', (_, header, expected) => {
  expect(read(header)).toEqual(expected);
});

test('a variant of weight 0 can be forced', () => {
  const dark = sampleExperiment({
    key: 'dark',
    variants: [
      { name: 'v1', version: 1, weight: 1 },
      { name: 'v2', version: 2, weight: 0 },
    ],
  });
  expect(readOverride('v2', 'digits', [dark], new Map([['dark', dark]]), () => true)).toMatchObject({
    kind: 'forced',
    variant: { name: 'v2' },
  });
});

test.each([
  ['alone', 'v3', '"v3" of experiment digits-cnn; known variants: v1, v2'],
  ['with its experiment', 'digits-cnn=v3', '"v3" of experiment digits-cnn; known variants: v1, v2'],
  ['of another experiment', 'v2; letters-cnn=v2', '"v2" of experiment letters-cnn; known variants: new, old'],
  ['in another case', 'V2', '"V2" of experiment digits-cnn; known variants: v1, v2'],
  ['that is empty', 'digits-cnn=', '"" of experiment digits-cnn; known variants: v1, v2'],
  [
    'named like an inherited property',
    'constructor',
    '"constructor" of experiment digits-cnn; known variants: v1, v2',
  ],
  ['with another sign in it', 'digits-cnn=v1=v2', '"v1=v2" of experiment digits-cnn; known variants: v1, v2'],
])('an unknown variant, %s, is refused with the known ones', (_, header, message) => {
  expect(read(header)).toEqual({
    kind: 'refused',
    fault: 'unknown_variant',
    message: `unknown variant ${message}`,
  });
});

test.each([
  ['digits=v2', '"digits"'],
  ['=v2', '""'],
  ['v2; nope=v1', '"nope"'],
])('an unknown experiment, as in %s, is refused with the known ones', (header, name) => {
  expect(read(header)).toEqual({
    kind: 'refused',
    fault: 'unknown_experiment',
    message: `unknown experiment ${name}; known experiments: digits-cnn, letters-cnn`,
  });
});

test('two variants of one experiment are refused, since nothing says which is meant', () => {
  expect(read('v1; digits-cnn=v2')).toEqual({
    kind: 'refused',
    fault: 'ambiguous_override',
    message: 'X-Experiment forces both v1 and v2 of digits-cnn',
  });
});

test('what a caller sent is shown back short, and without control characters', () => {
  const read500 = read(`${'x'.repeat(500)}\u0007`);
  expect(read500).toMatchObject({ message: expect.stringContaining(`"${'x'.repeat(64)}…"`) as string });
  expect(read('a\u0007b')).toMatchObject({ message: expect.stringContaining('"a\\u0007b"') as string });
});

test('an experiment of the called model that answers nobody is not passed over: its caller would count as the other one’s', () => {
  const over = sampleExperiment({ key: 'digits-old', status: 'completed', winner: 'v2' });
  const all = new Map([...ALL, ['digits-old', over] as const]);
  expect(readOverride('digits-old=v2', 'digits', [DIGITS], all, () => true)).toEqual({
    kind: 'refused',
    fault: 'unknown_experiment',
    message:
      'experiment digits-old is completed and answers nobody; known experiments of model "digits": digits-cnn',
  });
  expect(readOverride('digits-old=v2', 'letters', [LETTERS], all, () => true)).toEqual(NONE);
});
