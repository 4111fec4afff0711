import { expect, test } from 'vitest';
import { NO_EXPERIMENTS, assembleExperiments } from '../../experiments/experiment-set.ts';
import type { Experiment } from '../../experiments/definition.ts';
import type { ExperimentSet } from '../../experiments/experiment-set.ts';
import { sampleExperiment } from './sample-experiment.ts';

const answering = (set: ExperimentSet): readonly Experiment[] | undefined =>
  set.byModel.get('digits')?.candidates;

test('no experiments are a set too', () => {
  expect(assembleExperiments([])).toEqual({ set: NO_EXPERIMENTS, conflicts: [] });
});

test('experiments on different models are served side by side', () => {
  const digits = sampleExperiment();
  const letters = sampleExperiment({ key: 'letters-cnn', model: 'letters', status: 'paused' });
  const { set, conflicts } = assembleExperiments([digits, letters]);
  expect(conflicts).toEqual([]);
  expect(set.byModel).toEqual(
    new Map([
      ['digits', { candidates: [digits], needsBody: false }],
      ['letters', { candidates: [letters], needsBody: false }],
    ]),
  );
  expect(set.byKey).toEqual(
    new Map([
      ['digits-cnn', digits],
      ['letters-cnn', letters],
    ]),
  );
});

test('a draft is ignored: it answers no call, and no caller can name it', () => {
  const { set, conflicts } = assembleExperiments([sampleExperiment({ status: 'draft' })]);
  expect(conflicts).toEqual([]);
  expect(set).toEqual(NO_EXPERIMENTS);
});

test('a draft may wait on a model where another experiment runs', () => {
  const running = sampleExperiment();
  const { set, conflicts } = assembleExperiments([
    sampleExperiment({ key: 'next', status: 'draft' }),
    running,
  ]);
  expect(conflicts).toEqual([]);
  expect(answering(set)).toEqual([running]);
});

test.each([
  ['running', 'running'],
  ['running', 'paused'],
  ['paused', 'running'],
  ['paused', 'paused'],
])('an experiment that is %s and one that is %s can not share a model', (first, second) => {
  const [one, two] = [
    sampleExperiment({ key: 'one', status: first }),
    sampleExperiment({ key: 'two', status: second }),
  ];
  const { set, conflicts } = assembleExperiments([one, two]);
  expect(conflicts).toEqual([
    {
      first: one,
      second: two,
      path: ['status'],
      message:
        `is ${second} on model "digits", where "one" is ${first}, ` +
        'and nothing proves that no call meets both; give both a part of one namespace, or match rules that exclude ' +
        'each other on one attribute, or make one of them a draft',
    },
  ]);
  expect(answering(set)).toEqual([one]);
});

test('two completed experiments on a model are refused, since nothing says whose winner answers', () => {
  const { conflicts } = assembleExperiments([
    sampleExperiment({ key: 'one', status: 'completed' }),
    sampleExperiment({ key: 'two', status: 'completed' }),
  ]);
  expect(conflicts.map(({ first, second, path }) => [first.key, second.key, path])).toEqual([
    ['one', 'two', ['status']],
  ]);
});

test.each(['running', 'paused'])(
  'an experiment that is %s takes over from completed ones, whatever the order',
  (status) => {
    const old = sampleExperiment({ key: 'old', status: 'completed' });
    const older = sampleExperiment({ key: 'older', status: 'completed' });
    const live = sampleExperiment({ key: 'live', status });
    for (const experiments of [
      [old, older, live],
      [live, old, older],
    ]) {
      const { set, conflicts } = assembleExperiments(experiments);
      expect(conflicts).toEqual([]);
      expect(answering(set)).toEqual([live]);
      expect([...set.byKey.keys()].sort()).toEqual(['live', 'old', 'older']);
    }
  },
);

test('a completed experiment answers for its model where nothing else does', () => {
  const completed = sampleExperiment({ status: 'completed', winner: 'v2' });
  expect(answering(assembleExperiments([completed]).set)).toEqual([completed]);
});

test.each(['running', 'draft'])('a key that is taken, even by one that is %s, is refused', (status) => {
  const first = sampleExperiment({ status });
  const second = sampleExperiment({ model: 'letters' });
  const { set, conflicts } = assembleExperiments([first, second]);
  expect(conflicts).toEqual([{ first, second, path: ['key'], message: '"digits-cnn" is taken' }]);
  expect(set.byModel.has('letters')).toBe(false);
});
