import { expect, test } from 'vitest';
import { hashUnit } from '../../experiments/assignment.ts';
import { decide as decideIn } from '../../experiments/decision.ts';
import type { Caller } from '../../experiments/attribute.ts';
import type { Decision } from '../../experiments/decision.ts';
import type { ExperimentSet } from '../../experiments/experiment-set.ts';
import { assembleExperiments } from '../../experiments/experiment-set.ts';
import vectors from '../vectors/assignment.json' with { type: 'json' };
import { sampleCaller, sampleContext } from './sample-caller.ts';
import { sampleExperiment } from './sample-experiment.ts';

type Headers = Readonly<Record<string, string>>;

function caller(headers: Headers, ready: readonly number[] = [1, 2, 3]): Caller {
  return sampleCaller({ headers, ready });
}

const CONTEXT = sampleContext();

function decide(set: ExperimentSet, model: string, from: Caller): Decision {
  return decideIn(set, model, from, CONTEXT);
}

/** What a caller of the sample experiment, with some keys changed, is given. */
function decideWith(
  changes: Readonly<Record<string, unknown>>,
  headers: Headers = {},
  ready?: readonly number[],
): Decision {
  const { set } = assembleExperiments([sampleExperiment(changes)]);
  return decide(set, 'digits', caller(headers, ready));
}

/** `v2 split`: whom a caller gets and why, or the kind of a decision that gives nobody. */
function inShort(decision: Decision): string {
  return decision.kind === 'variant' ? `${decision.variant.name} ${decision.reason}` : decision.kind;
}

const variants = (v1: number, v2: number) => [
  { name: 'v1', version: 1, weight: v1 },
  { name: 'v2', version: 2, weight: v2 },
];
const ALL_TO_V2 = { variants: variants(0, 1) };
const EVEN = { variants: variants(50, 50) };
const HUNDRED = Array.from({ length: 100 }, (_, index) => index);

test('a model without an experiment gets no decision', () => {
  const { set } = assembleExperiments([sampleExperiment()]);
  expect(decide(set, 'letters', caller({ 'x-user-id': 'user-1' }))).toEqual({ kind: 'no_experiment' });
});

test('a draft decides nothing', () => {
  expect(decideWith({ status: 'draft' }, { 'x-user-id': 'user-1' })).toEqual({ kind: 'no_experiment' });
});

test('a decision says the experiment, the variant and the reason', () => {
  const experiment = sampleExperiment(ALL_TO_V2);
  const { set } = assembleExperiments([experiment]);
  expect(decide(set, 'digits', caller({ 'x-user-id': 'user-1' }))).toEqual({
    kind: 'variant',
    experiment,
    variant: { name: 'v2', version: 2, weight: 1 },
    reason: 'split',
    unit: 'user-1',
    hash: hashUnit('digits-cnn', 'user-1'),
  });
});

test('units are split as the frozen vectors say, whatever the order of the variants in the file', () => {
  for (const { seed, unit, variants: weighted, winner } of vectors.assignment) {
    const listed = weighted.map(({ name, weight }, index) => ({ name, version: index + 1, weight }));
    for (const list of [listed, listed.toReversed()]) {
      const versions = list.map(({ version }) => version);
      const decision = decideWith(
        { seed, variants: list, control: list[0]?.name },
        { 'x-user-id': unit },
        versions,
      );
      expect(inShort(decision), `${seed}:${unit}`).toBe(`${winner} split`);
    }
  }
});

test('units are enrolled as the frozen vectors say; the rest get control, reason default', () => {
  for (const { seed, unit, coverage, covered } of vectors.coverage) {
    const decision = decideWith({ ...ALL_TO_V2, seed, coverage }, { 'x-user-id': unit });
    expect(inShort(decision), `${seed}:${unit} under ${coverage}`).toBe(covered ? 'v2 split' : 'v1 default');
  }
});

test('without a seed the key is the seed', () => {
  for (const { unit, winner } of vectors.assignment.slice(0, 20)) {
    expect(inShort(decideWith({}, { 'x-user-id': unit }))).toBe(`${winner} split`);
  }
});

test('an experiment that is read again, as after a restart, gives every unit what it had', () => {
  const winners = () => HUNDRED.map((index) => inShort(decideWith(EVEN, { 'x-user-id': `user-${index}` })));
  expect(winners()).toEqual(winners());
});

test('the unit is named by the header that the experiment says', () => {
  const changes = { ...EVEN, hashAttribute: 'X-Account' };
  for (const index of HUNDRED) {
    const byAccount = decideWith(changes, { 'x-account': `user-${index}`, 'x-user-id': 'user-1' });
    expect(inShort(byAccount)).toBe(inShort(decideWith(EVEN, { 'x-user-id': `user-${index}` })));
  }
});

test.each([
  ['no unit', {}],
  ['an empty unit', { 'x-user-id': '' }],
])('with %s every call is a unit of its own, so that both variants occur', (_, headers) => {
  const decisions = HUNDRED.map(() => inShort(decideWith(EVEN, headers)));
  expect(new Set(decisions)).toEqual(new Set(['v1 split', 'v2 split']));
});

test('a call without a unit is enrolled by coverage too', () => {
  const decisions = HUNDRED.map(() => inShort(decideWith({ ...ALL_TO_V2, coverage: 0.5 })));
  expect(new Set(decisions)).toEqual(new Set(['v1 default', 'v2 split']));
});

test('a paused experiment gives all the control, reason default', () => {
  expect(inShort(decideWith({ ...ALL_TO_V2, status: 'paused' }, { 'x-user-id': 'user-1' }))).toBe(
    'v1 default',
  );
});

test('a completed experiment gives all the winner, reason default', () => {
  const decision = decideWith({ status: 'completed', winner: 'v2' }, { 'x-user-id': 'user-1' });
  expect(inShort(decision)).toBe('v2 default');
});

test('a completed experiment that names no winner gives all the control', () => {
  expect(inShort(decideWith({ ...ALL_TO_V2, status: 'completed' }, { 'x-user-id': 'user-1' }))).toBe(
    'v1 default',
  );
});

test.each(['running', 'paused', 'completed'])('a caller may force a variant of what is %s', (status) => {
  expect(inShort(decideWith({ status }, { 'x-experiment': 'v2' }))).toBe('v2 override');
  expect(inShort(decideWith({ status }, { 'x-experiment': 'digits-cnn=v2' }))).toBe('v2 override');
});

test('a caller may force a variant whose weight is 0, and one outside of the coverage', () => {
  const changes = { variants: variants(1, 0), coverage: 0 };
  expect(inShort(decideWith(changes, { 'x-experiment': 'v2' }))).toBe('v2 override');
});

test('an override of the variant that the split gives anyway is an override', () => {
  expect(inShort(decideWith(ALL_TO_V2, { 'x-experiment': 'v2', 'x-user-id': 'user-1' }))).toBe('v2 override');
});

test('a header that names other experiments only leaves the split as it is', () => {
  const { set } = assembleExperiments([
    sampleExperiment(ALL_TO_V2),
    sampleExperiment({ key: 'letters-cnn', model: 'letters' }),
  ]);
  const headers = { 'x-experiment': 'letters-cnn=v1', 'x-user-id': 'user-1' };
  expect(inShort(decide(set, 'digits', caller(headers)))).toBe('v2 split');
});

test('an unknown variant is refused, not passed over', () => {
  expect(decideWith({}, { 'x-experiment': 'v3', 'x-user-id': 'user-1' })).toEqual({
    kind: 'refused',
    fault: 'unknown_variant',
    message: 'unknown variant "v3" of experiment digits-cnn; known variants: v1, v2',
  });
});

test('an unknown experiment is refused, not passed over', () => {
  expect(decideWith({}, { 'x-experiment': 'nope=v2' })).toMatchObject({ fault: 'unknown_experiment' });
});

test('a draft can not be forced', () => {
  expect(decideWith({ status: 'draft' }, { 'x-experiment': 'v2' })).toMatchObject({ kind: 'refused' });
});

test('a variant of a model without an experiment is refused', () => {
  const { set } = assembleExperiments([sampleExperiment()]);
  expect(decide(set, 'letters', caller({ 'x-experiment': 'v2' }))).toEqual({
    kind: 'refused',
    fault: 'no_experiment',
    message: 'model "letters" has no experiment; known experiments: digits-cnn',
  });
});

test('a known experiment of another model is passed over: one header serves all of a caller’s calls', () => {
  const { set } = assembleExperiments([sampleExperiment()]);
  expect(decide(set, 'letters', caller({ 'x-experiment': 'digits-cnn=v2' }))).toEqual({
    kind: 'no_experiment',
  });
});

test('an unknown experiment on a model without one is refused with the known ones', () => {
  const { set } = assembleExperiments([sampleExperiment()]);
  const decision = decide(set, 'letters', caller({ 'x-experiment': 'nope=v2' }));
  expect(decision).toMatchObject({
    kind: 'refused',
    message: expect.stringContaining('known experiments: digits-cnn') as string,
  });
});

test.each([
  ['split', ALL_TO_V2, {}],
  ['override', {}, { 'x-experiment': 'v2' }],
  ['default', { status: 'completed', winner: 'v2' }, {}],
])(
  'a variant that can not answer gives way to the control, reason fallback, after %s',
  (_, changes, headers) => {
    expect(inShort(decideWith(changes, headers, [1]))).toBe('v1 fallback');
    expect(inShort(decideWith({ ...changes, onUnavailable: 'fallback' }, headers, [1]))).toBe('v1 fallback');
  },
);

test.each([
  ['split', ALL_TO_V2, {}],
  ['override', {}, { 'x-experiment': 'v2' }],
  ['default', { status: 'completed', winner: 'v2' }, {}],
])(
  'with onUnavailable: error nobody answers for a variant that can not, after %s',
  (reason, changes, headers) => {
    const decision = decideWith({ ...changes, onUnavailable: 'error' }, headers, [1]);
    expect(decision).toMatchObject({ kind: 'unavailable', variant: { name: 'v2' }, reason });
  },
);

test('where the control can not answer either, nobody does', () => {
  expect(decideWith(ALL_TO_V2, {}, [3])).toMatchObject({ kind: 'unavailable', variant: { name: 'v2' } });
});

test('a control that can not answer gives way to no other variant', () => {
  expect(decideWith({ status: 'paused' }, {}, [2])).toMatchObject({
    kind: 'unavailable',
    variant: { name: 'v1' },
  });
});

test('units whose own variant can answer notice nothing of one that can not', () => {
  const withAll = HUNDRED.map((index) => inShort(decideWith(EVEN, { 'x-user-id': `user-${index}` })));
  const withoutV2 = HUNDRED.map((index) => inShort(decideWith(EVEN, { 'x-user-id': `user-${index}` }, [1])));
  expect(withoutV2).toEqual(withAll.map((short) => (short === 'v2 split' ? 'v1 fallback' : short)));
});
