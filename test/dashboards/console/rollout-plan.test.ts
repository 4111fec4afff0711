import { expect, test } from 'vitest';
import type { ExperimentShape, RolloutShape } from '../../../dashboards/console/source/shapes.ts';
import { headlineOf, trackByPlan } from '../../../dashboards/console/source/words/rollout-plan.ts';
import { drivenRollout } from '../../../experiments/rollouts/rollout-step.ts';
import type { RolloutState } from '../../../experiments/rollouts/state.ts';
import { firstStanding } from '../../../experiments/standing/reconcile.ts';
import { describeRollout } from '../../../gateway/faces/admin/describe-rollout.ts';
import { sampleExperiment } from '../../experiments/sample-experiment.ts';

const at = (step: number) => ({ step, sinceMs: 0, passes: 1, failures: 0, inconclusive: 0 });

/** What the control plane tells of a rollout, by its file and where it stands. */
function told(rollout: object, state: RolloutState): { experiment: ExperimentShape; rollout: RolloutShape } {
  const experiment = sampleExperiment({
    variants: [
      { name: 'v1', version: 1, weight: 100 },
      { name: 'v2', version: 2, weight: 0 },
    ],
    metrics: [{ name: 'errors', kind: 'proportion', source: 'error_rate', role: 'guardrail' }],
    rollout,
  });
  const standing = firstStanding(
    { experiment, definition: '', digest: '' },
    undefined,
    '2026-11-25T12:00:00Z',
  );
  const target = { variant: 'v2', version: 2, phase: 1 };
  const driven = drivenRollout({
    experiment,
    standing: { ...standing, split: { ...standing.split, rollout: { target, state } } },
  });
  if (driven === undefined) throw new Error('the experiment has no rollout');
  const described = describeRollout(driven);
  const { key, model, phase, coverage } = experiment;
  return {
    rollout: described,
    experiment: {
      key,
      model,
      status: 'running',
      phase,
      coverage,
      control: 'v1',
      variants: [],
      metrics: [],
      wished: { status: 'running', weights: {} },
      standing: {
        version: 2,
        action: 'rollout.progressing',
        reason: 'analysis_passed: the analysis of step 2 passed',
        actor: { kind: 'rollout', id: 'a', name: '', address: '' },
        at: '2026-11-25T12:00:00Z',
        isRecovered: false,
        rollout: null,
      },
      rollout: described,
    },
  };
}

const stationsOf = (rollout: object, state: RolloutState): readonly string[] => {
  const { experiment, rollout: described } = told(rollout, state);
  return trackByPlan(experiment, described).stations.map(
    ({ label, detail, state: place }) => `${label} (${detail}) ${place}`,
  );
};

test('each weight is a stop with what is waited for there, and the one where it stands is marked', () => {
  const steps = [
    { match: [{ headers: { 'x-tester': 'yes' } }] },
    { pause: {} },
    { setWeight: 1 },
    { pause: { duration: '10m' } },
    { analysis: {} },
    { setWeight: 50 },
    { analysis: { count: 3 } },
  ];
  expect(stationsOf({ steps }, { kind: 'progressing', at: at(4) })).toEqual([
    '0 % (all v1) passed',
    'by rule (a person’s approval) passed',
    '1 % (10 min, then an analysis) here',
    '50 % (3 analyses) ahead',
    '100 % (all v2) ahead',
  ]);
  const cause = { code: 'guardrail', message: 'errors: worse' } as const;
  expect(
    stationsOf({ steps }, { kind: 'rolled_back', sinceMs: 0, cause }).map((text) => text.split(' ').at(-1)),
  ).toEqual(['here', 'ahead', 'ahead', 'ahead', 'ahead']);
});

test('a plan that begins and ends with a person waits there', () => {
  expect(stationsOf({ preset: 'blue-green' }, { kind: 'waiting_for_approval', at: at(1) })).toEqual([
    '0 % (a person’s approval) here',
    '100 % (an analysis) ahead',
  ]);
  const steps = [{ setWeight: 50 }, { analysis: {} }];
  expect(stationsOf({ steps, autoPromote: false }, { kind: 'waiting_for_approval', at: at(2) })).toEqual([
    '0 % (all v1) passed',
    '50 % (an analysis, then a person’s approval) here',
    '100 % (all v2) ahead',
  ]);
  expect(stationsOf({ preset: 'mirror-first' }, { kind: 'pending', sinceMs: 0 })[1]).toBe(
    '10 % copied (an analysis) ahead',
  );
});

test('the headline says what stands in the way, and the cause is told without its code', () => {
  const headline = (rollout: object, state: RolloutState): string => {
    const { experiment, rollout: described } = told(rollout, state);
    return headlineOf(experiment, described);
  };
  const plan = { steps: [{ setWeight: 5 }, { analysis: { count: 3 } }], interval: '30s', failureLimit: 2 };
  expect(headline(plan, { kind: 'progressing', at: at(1) })).toBe(
    'v2 gets 5 %; analysed every 30 s, 1 of 3 passed, 0 of 2 failures used',
  );
  expect(headline(plan, { kind: 'paused', at: at(1), hold: { by: 'person' } })).toBe(
    'v2 gets 5 %; paused until somebody resumes it',
  );
  const { experiment, rollout } = told(plan, { kind: 'progressing', at: at(1) });
  expect(trackByPlan(experiment, rollout).why).toMatch(/: the analysis of step 2 passed\.$/);
});
