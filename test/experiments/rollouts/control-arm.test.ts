import { expect, test } from 'vitest';
import { epochOf } from '../../../experiments/epoch.ts';
import type { Experiment } from '../../../experiments/definition.ts';
import { analyseRollout } from '../../../experiments/rollouts/analyse-rollout.ts';
import type { Judgement } from '../../../experiments/rollouts/judgement.ts';
import { rolloutWeights } from '../../../experiments/rollouts/split.ts';
import { sampleExperiment } from '../sample-experiment.ts';
import { tallyOf } from './counted-tally.ts';
import type { Counted } from './counted-tally.ts';

const VARIANTS = [
  { name: 'v1', version: 1, weight: 100 },
  { name: 'base', version: 3, weight: 0 },
  { name: 'v2', version: 2, weight: 0 },
];

/** An analysis at a weight of v2, of what was counted at it. */
function analysed(
  changes: Readonly<Record<string, unknown>>,
  weight: number,
  counted: Readonly<Record<string, Counted>>,
): Judgement {
  const experiment = sampleExperiment({
    variants: VARIANTS,
    metrics: [{ name: 'correct', kind: 'proportion', role: 'guardrail' }],
    ...changes,
  });
  const plan = experiment.rollout;
  if (plan === undefined) throw new Error('the experiment has a rollout');
  const weights = rolloutWeights(experiment.variants, plan, weight);
  const inForce: Experiment = {
    ...experiment,
    variants: experiment.variants.map((variant) => ({ ...variant, weight: weights[variant.name] ?? 0 })),
  };
  const { epoch, ...split } = epochOf(inForce);
  const tallies = {
    experiment: experiment.key,
    phase: 1,
    untested: {},
    epochs: [
      {
        epoch,
        split,
        variants: Object.fromEntries(Object.entries(counted).map(([name, of]) => [name, tallyOf(of)])),
      },
    ],
  };
  const step = plan.steps.findIndex((taken) => taken.kind === 'setWeight' && taken.weight === weight) + 1;
  const at = { step, sinceMs: 0, passes: 0, failures: 0, inconclusive: 0 };
  const evidence = { tallies, mirror: undefined, queries: [], webhooks: [] };
  return analyseRollout(inForce, plan, { kind: 'progressing', at }, evidence, 60_000);
}

const STEPS = [{ setWeight: 10 }, { analysis: {} }, { setWeight: 100 }, { analysis: {} }];
const outcomesOf = ({ findings }: Judgement, source: string): readonly string[] =>
  findings.filter((finding) => finding.source === source).map(({ outcome }) => outcome);

test('a baseline gets the variant’s share at each step as far as there is room, and the control what is left', () => {
  const plan = { variant: 'v2', baseline: 'base' };
  expect([0, 1, 10, 50, 60, 100].map((weight) => rolloutWeights(VARIANTS, plan, weight))).toEqual([
    { v1: 100, base: 0, v2: 0 },
    { v1: 98, base: 1, v2: 1 },
    { v1: 80, base: 10, v2: 10 },
    { v1: 0, base: 50, v2: 50 },
    { v1: 0, base: 40, v2: 60 },
    { v1: 0, base: 0, v2: 100 },
  ]);
});

test('what a small arm is worse for by itself is no fault of the variant: it is compared with the arm of its size', () => {
  const counted = { v1: [16_000, 14_400], base: [2000, 1400], v2: [2000, 1402] } as const;
  const withBaseline = analysed({ rollout: { steps: STEPS, variant: 'v2', baseline: 'base' } }, 10, counted);
  expect(withBaseline.outcome).toBe('pass');
  expect(withBaseline.findings.map(({ message }) => message).join()).toContain('base');
  const twoArms = { v1: [18_000, 16_200], v2: [2000, 1402] } as const;
  const without = analysed(
    { variants: VARIANTS.filter(({ name }) => name !== 'base'), rollout: { steps: STEPS } },
    10,
    twoArms,
  );
  expect(outcomesOf(without, 'guardrail')).toEqual(['fail']);
});

test('a threshold is held against the variant alone, with a control that is as bad, and where nobody else is left', () => {
  const changes = {
    variants: VARIANTS.filter(({ name }) => name !== 'base'),
    guardrails: [{ metric: 'correct', minimum: 0.8 }],
    rollout: { steps: STEPS },
  };
  const asBad = analysed(changes, 10, { v1: [18_000, 12_600], v2: [2000, 1400] });
  expect(outcomesOf(asBad, 'guardrail')).not.toContain('fail');
  expect(outcomesOf(asBad, 'threshold')).toEqual(['fail']);
  const alone = analysed(changes, 100, { v2: [20_000, 14_000] });
  expect([outcomesOf(alone, 'guardrail'), outcomesOf(alone, 'threshold')]).toEqual([[], ['fail']]);
  expect(analysed(changes, 100, { v2: [20_000, 18_000] }).outcome).toBe('pass');
});
