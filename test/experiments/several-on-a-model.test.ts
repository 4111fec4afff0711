import { expect, test } from 'vitest';
import { decide, decideWithin } from '../../experiments/decision.ts';
import type { Experiment } from '../../experiments/definition.ts';
import { assembleExperiments } from '../../experiments/experiment-set.ts';
import { sampleCaller, sampleContext } from './sample-caller.ts';
import type { SampleCaller } from './sample-caller.ts';
import { sampleExperiment } from './sample-experiment.ts';

type Changes = Readonly<Record<string, unknown>>;

const ALL_TO_V2 = {
  variants: [
    { name: 'v1', version: 1, weight: 0 },
    { name: 'v2', version: 2, weight: 1 },
  ],
};

const pair = (one: Changes, other: Changes): readonly Experiment[] => [
  sampleExperiment({ ...ALL_TO_V2, key: 'one', ...one }),
  sampleExperiment({ ...ALL_TO_V2, key: 'other', ...other }),
];

/** Why two experiments can't share the model; empty where they can. */
const conflict = (one: Changes, other: Changes): string =>
  assembleExperiments(pair(one, other))
    .conflicts.map(({ path, message }) => `${path.join('.')} ${message}`)
    .join('\n');

const ranking = (from: number, to: number) => ({ namespace: { name: 'ranking', range: [from, to] } });
const country = (...names: readonly string[]) => ({ match: [{ headers: { 'x-country': { in: names } } }] });

test.each<[string, Changes, Changes]>([
  ['parts of one namespace', ranking(0, 0.5), ranking(0.5, 1)],
  ['countries', country('at', 'de'), country('fr')],
  [
    'a list and everybody else',
    country('at', 'de'),
    { match: [{ headers: { 'x-country': { not: { in: ['at', 'de', 'ch'] } } } }] },
  ],
  [
    'several rules each',
    { match: [{ headers: { a: '1', b: '1' } }, { headers: { a: '2' } }] },
    { match: [{ headers: { a: '3' } }, { headers: { a: { prefix: '4' }, b: '1' } }] },
  ],
  [
    'rows',
    { match: [{ inputs: { X: { rows: { max: 4 } } } }] },
    { match: [{ inputs: { X: { rows: { min: 5 } } } }] },
  ],
  [
    'namespaces and forced units that differ',
    { ...ranking(0, 0.5), forced: { ada: 'v2' } },
    { ...ranking(0.5, 1), forced: { bob: 'v2' } },
  ],
])('two experiments that %s keep apart run side by side', (_, one, other) => {
  expect(conflict(one, other)).toBe('');
});

test.each<[string, Changes, Changes, string]>([
  ['nothing', {}, {}, 'nothing proves that no call meets both'],
  [
    'parts that overlap',
    ranking(0, 0.5),
    ranking(0.4, 1),
    'their parts of namespace "ranking" overlap: [0, 0.5] and [0.4, 1]',
  ],
  ['two namespaces', ranking(0, 0.5), { namespace: { name: 'x', range: [0.5, 1] } }, 'nothing proves'],
  [
    'a namespace of units that are named differently',
    ranking(0, 0.5),
    { ...ranking(0.5, 1), hashAttribute: { cookie: 'uid' } },
    'only where the unit is the same; one says header x-user-id, the other cookie uid',
  ],
  ['two headers', country('at'), { match: [{ headers: { 'x-plan': 'pro' } }] }, 'nothing proves'],
  ['a country in both', country('at', 'de'), country('de'), 'nothing proves'],
  [
    'one of several rules',
    { match: [{ headers: { a: '1' } }, { headers: { b: '2' } }] },
    { match: [{ headers: { a: '3' } }] },
    'nothing proves',
  ],
  // A rule with a variant alone restricts nobody.
  [
    'a rule that only sends some to a variant',
    { match: [{ headers: { a: '1' }, variant: 'v2' }] },
    { match: [{ headers: { a: '2' } }] },
    'nothing proves',
  ],
  [
    'a unit that both force',
    { ...ranking(0, 0.5), forced: { ada: 'v2' } },
    { ...ranking(0.5, 1), forced: { ada: 'v1' } },
    'both force the unit "ada"',
  ],
  [
    'another control',
    ranking(0, 0.5),
    { ...ranking(0.5, 1), control: 'v2' },
    'control is version 2, and that of "one" is version 1',
  ],
])('two experiments that %s would not keep apart are refused', (_, one, other, message) => {
  expect(conflict(one, other)).toContain(message);
});

test('controls that other servers answer are held against each other by their servers', () => {
  const elsewhere = (port: number) => ({
    variants: [
      { name: 'v1', weight: 0, upstream: { url: `http://127.0.0.1:${port}` } },
      { name: 'v2', version: 2, weight: 1 },
    ],
  });
  const [one, other] = [ranking(0, 0.5), ranking(0.5, 1)];
  expect(conflict({ ...one, ...elsewhere(9001) }, { ...other, ...elsewhere(9001) })).toBe('');
  expect(conflict({ ...one, ...elsewhere(9001) }, { ...other, ...elsewhere(9002) })).toContain(
    'control is http://127.0.0.1:9002 model "digits" (v2), and that of "one" is http://127.0.0.1:9001 model "digits" (v2)',
  );
  expect(conflict(one, { ...other, ...elsewhere(9002) })).toContain('and that of "one" is version 1');
});

const USERS = Array.from({ length: 2000 }, (_, index) => `user-${index}`);

/** `other=v2 split`: which experiment answers, with what and why. */
function ask(experiments: readonly Experiment[], from: SampleCaller): string {
  const { set, conflicts } = assembleExperiments(experiments);
  expect(conflicts).toEqual([]);
  const decision = decide(set, 'digits', sampleCaller(from), sampleContext());
  if (decision.kind !== 'variant') return decision.kind === 'refused' ? decision.message : decision.kind;
  return `${decision.experiment.key}=${decision.variant.name} ${decision.reason}`;
}

test('each unit is answered by the experiment whose part it is in, and by the control where it is in none', () => {
  const experiments = pair(ranking(0, 0.4), ranking(0.4, 0.8));
  const answers = USERS.map((user) => ask(experiments, { headers: { 'x-user-id': user } }));
  const share = (answer: string) => answers.filter((found) => found === answer).length / USERS.length;
  expect(share('one=v2 split') + share('other=v2 split') + share('one=v1 default')).toBe(1);
  expect(Math.abs(share('one=v2 split') - 0.4)).toBeLessThan(0.035);
  expect(Math.abs(share('other=v2 split') - 0.4)).toBeLessThan(0.035);
});

test('a call that names no unit is one unit to all of them: never enrolled by two, nor passed over by all', () => {
  const { set } = assembleExperiments(pair(ranking(0, 0.5), ranking(0.5, 1)));
  const context = sampleContext();
  const answers = USERS.map(() => {
    const decision = decide(set, 'digits', sampleCaller(), context);
    return decision.kind === 'variant' ? `${decision.experiment.key} ${decision.reason}` : decision.kind;
  });
  expect(new Set(answers)).toEqual(new Set(['one split', 'other split']));
});

test('where one is paused its callers get the control under its name, and the other goes on', () => {
  const experiments = pair({ ...country('at'), status: 'paused' }, country('de'));
  const from = (value: string) => ({ headers: { 'x-user-id': 'ada', 'x-country': value } });
  expect(ask(experiments, from('at'))).toBe('one=v1 default');
  expect(ask(experiments, from('de'))).toBe('other=v2 split');
});

test('a forced unit is answered by the experiment that forces it, whatever the rules say', () => {
  const experiments = pair(country('at'), { ...country('de'), forced: { ada: 'v2' } });
  expect(ask(experiments, { headers: { 'x-user-id': 'ada', 'x-country': 'at' } })).toBe('other=v2 override');
});

test('an override names the experiment where both have the variant, and may name a single one by variant', () => {
  const experiments = pair(ranking(0, 0.5), {
    ...ranking(0.5, 1),
    variants: [...ALL_TO_V2.variants, { name: 'v3', version: 3, weight: 1 }],
  });
  const forcing = (header: string) => ask(experiments, { headers: { 'x-experiment': header } });
  expect(forcing('v3')).toBe('other=v3 override');
  expect(forcing('one=v2')).toBe('one=v2 override');
  expect(forcing('other=v2')).toBe('other=v2 override');
  expect(forcing('v2')).toBe('v2 is a variant of both one and other; write one=v2 or other=v2');
  expect(forcing('one=v2; other=v3')).toBe(
    'X-Experiment forces both one=v2 and other=v3, and one experiment answers a call',
  );
  expect(forcing('v4')).toBe(
    'unknown variant "v4" of experiment one; known variants: v1, v2, nor of experiment other; known variants: v1, v2, v3',
  );
});

test('one experiment asked by itself gives the control to whom it does not concern', () => {
  const [one = expect.fail('there are two')] = pair(country('at'), country('de'));
  const decision = decideWithin(
    one,
    undefined,
    sampleCaller({ headers: { 'x-user-id': 'ada', 'x-country': 'de' } }),
    sampleContext(),
  );
  expect(decision).toMatchObject({ variant: { name: 'v1' }, reason: 'default' });
});
