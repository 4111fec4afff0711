import { expect, test } from 'vitest';
import { diffExperiments, refusedChanges } from '../../experiments/experiment-diff.ts';
import { sampleExperiment } from './sample-experiment.ts';

type Changes = Readonly<Record<string, unknown>>;

const NOW_MS = Date.parse('2026-11-22T12:00:00Z');

/** The classes of what an edit changes, as `new_phase seed`. */
function classes(before: Changes, after: Changes): readonly string[] {
  return diffExperiments(sampleExperiment(before), sampleExperiment(after), NOW_MS).map(
    (change) => `${change.class} ${change.path.join('.')}`,
  );
}

const variants = (...list: readonly (readonly [name: string, version: number, weight: number])[]) => ({
  variants: list.map(([name, version, weight]) => ({ name, version, weight })),
});
const metric = (fields: Changes) => ({ metrics: [{ name: 'correct', kind: 'proportion', ...fields }] });
const namespace = (from: number, to: number, name = 'ranking') => ({
  namespace: { name, range: [from, to] },
});

test.each<[string, Changes, Changes, readonly string[]]>([
  ['nothing', {}, {}, []],
  ['what is the default, written out', {}, { seed: 'digits-cnn', coverage: 1, phase: 1, sticky: false }, []],
  ['the end', {}, { status: 'completed', winner: 'v2' }, ['safe status', 'safe winner']],
  ['weights', {}, variants(['v1', 1, 80], ['v2', 2, 20]), ['safe variants', 'safe variants']],
  ['a variant more', {}, variants(['v1', 1, 90], ['v2', 2, 10], ['v3', 3, 10]), ['safe variants']],
  ['a variant less', {}, variants(['v1', 1, 90]), ['new_phase variants']],
  ['a version', {}, variants(['v1', 1, 90], ['v2', 3, 10]), ['new_phase variants']],
  ['the control', {}, { control: 'v2' }, ['new_phase control', 'safe winner']],
  ['the model', {}, { model: 'letters' }, ['forbidden model']],
  ['the key', {}, { key: 'other', seed: 'x', coverage: 0.5 }, ['forbidden key']],
  ['the unit', {}, { hashAttribute: { cookie: 'uid' } }, ['new_phase hashAttribute']],
  ['the seed', {}, { seed: 'other' }, ['new_phase seed']],
  ['the seed of a phase', {}, { phase: { number: 1, seed: 'other' } }, ['new_phase seed']],
  ['a rule', {}, { match: [{ headers: { a: 'b' } }] }, ['new_phase match']],
  ['more coverage', { coverage: 0.5 }, {}, ['safe coverage']],
  ['less coverage', {}, { coverage: 0.5 }, ['new_phase coverage']],
  ['a namespace where there was none', {}, namespace(0, 0.5), ['new_phase namespace']],
  ['no namespace any more', namespace(0, 0.5), {}, ['safe namespace']],
  ['a larger part', namespace(0.2, 0.5), namespace(0, 0.5), ['safe namespace']],
  ['a part that is moved', namespace(0, 0.5), namespace(0.2, 0.7), ['new_phase namespace']],
  ['another namespace', namespace(0, 0.5), namespace(0, 0.5, 'x'), ['new_phase namespace']],
  ['a larger holdout', { holdout: 0.1 }, { holdout: 0.2 }, ['new_phase holdout']],
  ['a smaller holdout', { holdout: 0.2 }, { holdout: 0.1 }, ['safe holdout']],
  ['another holdout', { holdout: 0.2 }, { holdout: { share: 0.1, seed: 'x' } }, ['new_phase holdout']],
  ['no holdout', { holdout: 0.2 }, {}, ['safe holdout']],
  ['forced units', {}, { forced: { ada: 'v2' } }, ['safe forced']],
  ['stickiness', {}, { sticky: true }, ['safe sticky']],
  ['no stickiness', { sticky: true }, {}, ['new_phase sticky']],
  ['a mirror', {}, { mirror: { variant: 'v2' } }, ['safe mirror']],
  ['what an unavailable variant means', {}, { onUnavailable: 'error' }, ['safe onUnavailable']],
  ['a stop', {}, { stop: '2026-12-01T00:00:00Z' }, ['safe stop']],
  ['a start to come, after it began', {}, { start: '2026-12-01T00:00:00Z' }, ['forbidden start']],
  ['a start to come', { start: '2026-12-01T00:00:00Z' }, { start: '2026-12-02T00:00:00Z' }, ['safe start']],
  ['a phase', {}, { phase: 2 }, ['safe phase']],
  ['an earlier phase', { phase: 2 }, {}, ['forbidden phase']],
  ['the name of a phase', { phase: 2 }, { phase: { number: 2, name: 'x' } }, ['safe phase.name']],
  ['a metric more', {}, metric({}), ['safe metrics.0']],
  ['a goal more', {}, metric({ role: 'goal' }), ['new_phase metrics.0']],
  ['a goal less', metric({ role: 'goal' }), {}, ['new_phase metrics']],
  ['a guardrail more', {}, metric({ role: 'guardrail' }), ['new_phase metrics.0']],
  ['a guardrail less', metric({ role: 'guardrail' }), {}, ['new_phase metrics']],
  ['a metric less', metric({}), {}, ['safe metrics']],
  ['what a metric means', metric({}), metric({ window: '24h' }), ['new_phase metrics.0']],
  ['what makes a metric a goal', metric({}), metric({ role: 'goal' }), ['new_phase metrics.0']],
  ['what is planned', metric({}), metric({ minimumEffect: 0.1 }), ['safe metrics.0']],
  [
    'a threshold',
    { ...metric({ role: 'guardrail' }), guardrails: [{ metric: 'correct', minimum: 0.5 }] },
    { ...metric({ role: 'guardrail' }), guardrails: [{ metric: 'correct', minimum: 0.6 }] },
    ['safe guardrails'],
  ],
  [
    'how much worse a guardrail may become',
    { ...metric({ role: 'guardrail' }), guardrails: [{ metric: 'correct', maximumHarm: 0.01 }] },
    { ...metric({ role: 'guardrail' }), guardrails: [{ metric: 'correct', maximumHarm: 0.05 }] },
    ['new_phase guardrails'],
  ],
])('of a running experiment %s is classed', (_, before, after, expected) => {
  expect(classes(before, after)).toEqual(expected);
  expect(classes({ ...before, status: 'paused' }, { status: 'paused', ...after })).toEqual(expected);
});

test('an experiment may be paused and resumed', () => {
  expect(classes({}, { status: 'paused' })).toEqual(['safe status']);
  expect(classes({ status: 'paused' }, {})).toEqual(['safe status']);
});

test('weights that change are no change of the rules, of the forced units or of the mirror that name a variant', () => {
  const rest = {
    match: [{ headers: { a: 'b' }, variant: 'v2' }],
    forced: { ada: 'v2' },
    mirror: { variant: 'v2', share: 0.5 },
  };
  expect(classes(rest, { ...rest, ...variants(['v1', 1, 90], ['v2', 2, 11]) })).toEqual(['safe variants']);
});

test.each(['draft', 'completed'])('what is %s may become anything: nothing is being counted', (status) => {
  const after = { status, seed: 'other', model: 'letters', hashAttribute: { cookie: 'uid' } };
  expect(classes({ status }, after).every((line) => line.startsWith('safe'))).toBe(true);
});

test('an experiment that was completed runs again in a new phase only', () => {
  expect(classes({ status: 'completed' }, {})).toEqual(['new_phase status']);
});

test('an edit that begins a phase may change what needs one, and not what is forbidden', () => {
  const before = sampleExperiment();
  const refusedOf = (changes: Changes) => {
    const after = sampleExperiment(changes);
    return refusedChanges(before, after, diffExperiments(before, after, NOW_MS)).map(({ path }) => path[0]);
  };
  expect(refusedOf({ seed: 'other', coverage: 0.5 })).toEqual(['seed', 'coverage']);
  expect(refusedOf({ seed: 'other', coverage: 0.5, phase: 2 })).toEqual([]);
  expect(refusedOf({ seed: 'other', model: 'letters', phase: 2 })).toEqual(['model']);
});
