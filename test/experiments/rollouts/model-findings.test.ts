/** Whether what is rolled out, and what it is compared with, were one model each all the while. */
import { expect, test } from 'vitest';
import { epochOf } from '../../../experiments/epoch.ts';
import { analyseRollout } from '../../../experiments/rollouts/analyse-rollout.ts';
import type { EpochTally, VariantTally } from '../../../experiments/stores/tallies.ts';
import { sampleExperiment } from '../sample-experiment.ts';

const EXPERIMENT = sampleExperiment({
  variants: [
    { name: 'v1', version: 1, weight: 100 },
    { name: 'base', version: 3, weight: 0 },
    { name: 'v2', version: 2, weight: 0 },
  ],
  metrics: [{ name: 'correct', kind: 'proportion', role: 'guardrail' }],
  rollout: {
    steps: [{ setWeight: 10 }, { analysis: {} }, { setWeight: 100 }],
    variant: 'v2',
    baseline: 'base',
  },
});

type Models = Readonly<Record<string, number>>;

function tally(models: Models): VariantTally {
  const requests = Object.values(models).reduce((sum, count) => sum + count, 0);
  return {
    units: requests,
    requests,
    models,
    unitsByDay: {},
    unitsByKey: {},
    switched: 0,
    unitlessRequests: 0,
    errors: 0,
    uncounted: {},
    outputs: {},
    metrics: {},
  };
}

/** What is found of the models that answered, epoch by epoch. */
function found(...epochs: readonly Readonly<Record<string, Models>>[]) {
  const plan = EXPERIMENT.rollout;
  if (plan === undefined) throw new Error('the experiment has a rollout');
  const { epoch, ...split } = epochOf(EXPERIMENT);
  const tallies = {
    experiment: EXPERIMENT.key,
    phase: 1,
    untested: {},
    epochs: epochs.map((variants, index): EpochTally => ({
      epoch: epoch + index,
      split,
      variants: Object.fromEntries(Object.entries(variants).map(([name, models]) => [name, tally(models)])),
    })),
  };
  const at = { step: 1, sinceMs: 0, passes: 0, failures: 0, inconclusive: 0 };
  const evidence = { tallies, mirror: undefined, queries: [], webhooks: [] };
  const { findings } = analyseRollout(EXPERIMENT, plan, { kind: 'progressing', at }, evidence, 60_000);
  return findings
    .filter(({ name }) => name === 'models')
    .map(({ outcome, isLasting, message }) => ({
      outcome,
      isLasting,
      who: /files of (\S+)/.exec(message)?.[1],
    }));
}

test('one model each is as it should be', () => {
  expect(found({ v1: { a: 80 }, base: { a: 10 }, v2: { b: 10 } }, { v1: { a: 8 }, v2: { b: 1 } })).toEqual(
    [],
  );
});

test('another model of what is rolled out fails; another one of what it is compared with is never believed again', () => {
  expect(found({ v1: { a: 80 }, v2: { b: 5, c: 5 } })).toEqual([
    { outcome: 'fail', isLasting: undefined, who: 'v2' },
  ]);
  expect(found({ v1: { a: 80 }, v2: { b: 5 } }, { v1: { c: 80 }, v2: { b: 5 } })).toEqual([
    { outcome: 'unhealthy', isLasting: true, who: 'v1' },
  ]);
  expect(found({ v1: { a: 80 }, base: { a: 5, c: 5 }, v2: { b: 5 } })).toEqual([
    { outcome: 'unhealthy', isLasting: true, who: 'base' },
  ]);
});

test('what the control was before anybody got the variant is compared with nothing', () => {
  expect(found({ v1: { a: 80 } }, { v1: { c: 80 }, v2: { b: 5 } })).toEqual([]);
});
