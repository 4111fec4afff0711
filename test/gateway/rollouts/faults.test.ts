import { expect, test } from 'vitest';
import {
  failingClassifier,
  halfFlippedClassifier,
  nanClassifier,
  permutedClassifier,
  rightClassifier,
  slowClassifier,
} from '../../models/classifiers.ts';
import { metricValue } from '../running-gateway.ts';
import { history, startRollout, stateOf, travel } from './rolled-out.ts';

const HALF = { steps: [{ setWeight: 50 }, { analysis: { count: 100 } }] };

test('a version 2 that is good walks from 1 to 100 percent and is promoted', async () => {
  await using gateway = await startRollout({
    version2: rightClassifier(),
    rollout: { preset: 'canary', minUnits: 10 },
  });
  const { state, weights } = await travel(gateway);
  expect(state.kind).toBe('succeeded');
  expect(weights).toEqual([0, 1, 5, 10, 25, 50, 100]);
  expect((await history(gateway)).map(({ action }) => action)).toEqual([
    'rollout.pending',
    'rollout.progressing',
    'rollout.progressing',
    'rollout.progressing',
    'rollout.progressing',
    'rollout.progressing',
    'rollout.promoting',
    'rollout.succeeded',
  ]);
  expect(metricValue(await gateway.metrics(), 'signalbox_rollout_state', { experiment: 'classes' })).toBe(3);
});

test.each([
  [
    'has its labels permuted',
    permutedClassifier(),
    /^guardrail: correct: v2 0, v1 1, -100 % over \d+ units .* worse for sure$/,
  ],
  [
    'is slow',
    slowClassifier(),
    /^guardrail: compute: v2 \S+, v1 \S+, \+\d+ % over \d+ units .* worse for sure$/,
  ],
  ['fails at every run', failingClassifier(), /^hard_floor: v2: 10 requests in a row failed$/],
  ['answers NaN', nanClassifier(), /^hard_floor: v2: 3 answers in a row had a value that is not finite$/],
])('a version 2 that %s is rolled back, and the audit log says why', async (_, version2, cause) => {
  await using gateway = await startRollout({ version2, rollout: HALF });
  const { state } = await travel(gateway);
  expect(state.kind).toBe('rolled_back');
  const steps = await history(gateway);
  expect(steps.map(({ action }) => action)).toEqual([
    'rollout.pending',
    'rollout.progressing',
    ...steps.slice(2, -2).map(() => 'rollout.progressing'),
    'rollout.rolling_back',
    'rollout.rolled_back',
  ]);
  expect(steps.at(-1)?.reason).toMatch(cause);
  // Nobody gets it, and who got it before is answered by version 1.
  const after = await travel(gateway, { most: 64, until: () => false });
  expect([after.metVariant, stateOf(gateway)?.kind]).toEqual([0, 'rolled_back']);
  const metrics = await gateway.metrics();
  expect(metricValue(metrics, 'signalbox_rollout_state', { experiment: 'classes' })).toBe(-1);
  const { sinceMs } = state.kind === 'rolled_back' ? state : expect.fail(state.kind);
  expect(
    metricValue(metrics, 'signalbox_rolled_back_timestamp_seconds', { experiment: 'classes' }),
  ).toBeCloseTo(sinceMs / 1000, 3);
});

test('a version 2 that flips half of its answers is taken back by its mirrored copies, before anybody got one', async () => {
  const steps = [
    { setMirrorRoute: { percentage: 100 } },
    { analysis: { mirror: { minAgreement: 0.95, minComparisons: 40 } } },
    { setWeight: 50 },
    { analysis: {} },
  ];
  await using gateway = await startRollout({ version2: halfFlippedClassifier(), rollout: { steps } });
  const { state, metVariant } = await travel(gateway, { atOnce: 2 });
  expect([state.kind, metVariant]).toEqual(['rolled_back', 0]);
  expect((await history(gateway)).at(-1)?.reason).toMatch(
    /^mirror: v2 answers \d+(\.\d+)? % of the units alike, over \d+ copies \(.*\), and at least 95 % is asked for$/,
  );
});
