import { expect, test } from 'vitest';
import type { Experiment } from '../../../experiments/definition.ts';
import { epochOf } from '../../../experiments/epoch.ts';
import { analyseRollout } from '../../../experiments/rollouts/analyse-rollout.ts';
import { rolloutSplit } from '../../../experiments/rollouts/split.ts';
import type { RolloutState } from '../../../experiments/rollouts/state.ts';
import { applyStanding } from '../../../experiments/standing/in-force.ts';
import { sampleExperiment } from '../sample-experiment.ts';
import { standingOf } from '../standing/samples.ts';
import { tallyOf } from './counted-tally.ts';

const STEPS = [{ setWeight: 10 }, { analysis: {} }, { setWeight: 50 }, { analysis: {} }];

/** What is found at 50 % of a variant that was fine over many units at 10 %, and is worse since. */
function foundAtFifty(
  control: string,
  variant: string,
  rollout: Readonly<Record<string, unknown>> = {},
  others: readonly string[] = [],
): readonly string[] {
  const variants = [control, variant, ...others].map((name, index) => {
    return { name, version: index + 1, weight: index === 0 ? 100 : 0 };
  });
  const metrics = [{ name: 'correct', kind: 'proportion', role: 'guardrail' }];
  const changes = { control, variants, metrics, rollout: { steps: STEPS, variant, ...rollout } };
  const experiment = sampleExperiment(changes);
  const { rollout: plan } = experiment;
  if (plan === undefined) throw new Error('the experiment has a rollout');
  const target = { variant, version: 2, phase: 1 };
  const stateAt = (step: number): RolloutState => {
    return { kind: 'progressing', at: { step, sinceMs: 0, passes: 0, failures: 0, inconclusive: 0 } };
  };
  const inForceAt = (step: number): Experiment => {
    const split = rolloutSplit(experiment, plan, { target, state: stateAt(step) });
    const file = { experiment, definition: '', digest: '' };
    return applyStanding(experiment, standingOf(file, split));
  };
  const counted = (inForce: Experiment, units: number, rightOf: (name: string) => number) => {
    const { epoch, ...split } = epochOf(inForce);
    const tallies = inForce.variants.map(({ name, weight }) => {
      const ofVariant = (units * weight) / 100;
      return [name, tallyOf([ofVariant, ofVariant * rightOf(name)])] as const;
    });
    return { epoch, split, variants: Object.fromEntries(tallies) };
  };
  const epochs = [
    counted(inForceAt(1), 1_000_000, () => 0.9),
    counted(inForceAt(3), 4000, (name) => (name === variant ? 0.75 : 0.9)),
  ];
  const tallies = { experiment: experiment.key, phase: 1, untested: {}, epochs };
  const evidence = { tallies, mirror: undefined, queries: [], webhooks: [] };
  return analyseRollout(inForceAt(3), plan, stateAt(3), evidence, 60_000).findings.flatMap(
    ({ source, outcome, message }) => (source === 'guardrail' ? [`${outcome}: ${message}`] : []),
  );
}

const WORSE = /^fail: .* at this weight: worse for sure$/;

test('what is worse from some weight on is found whatever the variants are called', () => {
  expect(foundAtFifty('v1', 'v2')).toEqual([expect.stringMatching(WORSE)]);
  expect(foundAtFifty('stable', 'canary')).toEqual([expect.stringMatching(WORSE)]);
});

test('so it is where the variant is compared with a baseline, and beside variants that nobody gets', () => {
  expect(foundAtFifty('v1', 'v2', { baseline: 'base' }, ['base'])).toEqual([expect.stringMatching(WORSE)]);
  expect(foundAtFifty('v1', 'v2', {}, ['v0'])).toEqual([expect.stringMatching(WORSE)]);
});
