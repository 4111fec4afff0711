import { expect, test } from 'vitest';
import { epochOf } from '../../../experiments/epoch.ts';
import { analyseRollout } from '../../../experiments/rollouts/analyse-rollout.ts';
import type { Judgement } from '../../../experiments/rollouts/judgement.ts';
import { sampleExperiment } from '../sample-experiment.ts';
import { tallyOf } from './counted-tally.ts';

/** An analysis of 1,000 units of each variant, of which so many have an outcome, nine of ten a good one. */
function analysed(
  withOutcome: Readonly<Record<string, number>>,
  metric: Readonly<Record<string, unknown>> = {},
): Judgement {
  const experiment = sampleExperiment({
    variants: [
      { name: 'v1', version: 1, weight: 1 },
      { name: 'v2', version: 2, weight: 0 },
    ],
    metrics: [{ name: 'correct', kind: 'proportion', role: 'guardrail', ...metric }],
    rollout: { steps: [{ setWeight: 50 }, { analysis: {} }] },
  });
  const { rollout: plan } = experiment;
  if (plan === undefined) throw new Error('the experiment has a rollout');
  const variants = experiment.variants.map((variant) => ({ ...variant, weight: 50 }));
  const inForce = { ...experiment, variants };
  const { epoch, ...split } = epochOf(inForce);
  const counted = Object.entries(withOutcome).map(([name, units]) => {
    return [name, { ...tallyOf([units, 0.9 * units]), units: 1000, requests: 1000 }] as const;
  });
  const epochs = [{ epoch, split, variants: Object.fromEntries(counted) }];
  const tallies = { experiment: experiment.key, phase: 1, untested: {}, epochs };
  const at = { step: 1, sinceMs: 0, passes: 0, failures: 0, inconclusive: 0 };
  const evidence = { tallies, mirror: undefined, queries: [], webhooks: [] };
  return analyseRollout(inForce, plan, { kind: 'progressing', at }, evidence, 60_000);
}

test('a variant whose outcomes get lost is not believed to be as good as the control', () => {
  const { outcome, findings } = analysed({ v1: 1000, v2: 600 });
  expect(outcome).toBe('unhealthy');
  expect(findings).toContainEqual({
    source: 'health',
    name: 'missing_outcomes',
    outcome: 'unhealthy',
    message: expect.stringContaining('outcomes are missing unevenly: 80 % of the units have one') as string,
  });
});

test('outcomes that few units of either have yet, or of no unit but those that did something, hold nothing up', () => {
  expect(analysed({ v1: 200, v2: 190 }).outcome).toBe('pass');
  expect(analysed({ v1: 1000, v2: 600 }, { window: '1h' }).outcome).toBe('pass');
});
